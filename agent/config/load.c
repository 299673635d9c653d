/* SPDX-License-Identifier: MIT */
/* From a file to a struct config. */
#include <libconfig.h>
#include <string.h>

#include "group.h"
#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "syntax.h"

struct config *config_new_default(void)
{
    struct config *config = MEM_NEW(struct config);
    config_group_set_defaults(&config_root, config);
    return config;
}

void config_free(struct config *config)
{
    if (config) {
        config_group_free(&config_root, config);
        free(config);
    }
}

bool config_names_secret(const struct config *config)
{
    const struct config_marathon *marathon = &config->marathon;
    return marathon->password_file[0] || marathon->dcos_token_file[0] || marathon->key_file[0];
}

/* libconfig's texts in our words. */
static const char *config_load_syntax_text(const char *text)
{
    static const struct {
        const char *theirs, *ours;
    } texts[] = {
        {"syntax error",
         "syntax error here or just before; a key is written name = value; and strings stand in double quotes"},
        {"mismatched element type in array", "the elements of [ ] must all be of one type, such as [ \"a\", \"b\" ]"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (text && strcmp(text, texts[i].theirs) == 0) {
            return texts[i].ours;
        }
    }
    return text ? text : "syntax error";
}

/* line: libconfig's. */
static void config_load_report(struct config_source *source, unsigned line, const char *text)
{
    struct config_token name;
    if (text && strcmp(text, "duplicate setting name") == 0 &&
        config_duplicate_find(buf_text(&source->text), source->text.len, &name)) {
        config_source_report(source, line, "the key `%.*s` stands in its group twice; remove one of them",
                             (int)name.len, name.text);
        return;
    }
    config_source_report(source, line, "%s", config_load_syntax_text(text));
}

static void config_load_text(struct config_source *source, enum config_use use, struct config *config)
{
    config_t file;
    config_init(&file);
    if (config_read_string(&file, buf_text(&source->text)) == CONFIG_TRUE) {
        const config_setting_t *root = config_root_setting(&file);
        config_group_read(&config_root, source, "", root, config);
        config_relations_check(source, root, use);
    } else {
        int line = config_error_line(&file);
        config_load_report(source, line > 0 ? (unsigned)line : 1, config_error_text(&file));
    }
    config_destroy(&file);
}

static int config_load_file(const char *path, enum config_use use, struct config **ret_config, struct buf *why)
{
    struct config_source source;
    config_source_init(&source, why);
    struct config *config = config_new_default();
    int err = config_source_read(&source, path);
    if (err == 0 && source.n_findings == 0) {
        config_load_text(&source, use, config);
    }
    if (err == 0 && source.n_findings > 0) {
        err = SLOTD_E_CONFIG;
    }
    if (err == 0) {
        *ret_config = config;
    } else {
        config_free(config);
    }
    config_source_free(&source);
    return err;
}

int config_load(const char *path, struct config **ret_config, struct buf *why)
{
    return config_load_file(path, CONFIG_USE_DAEMON, ret_config, why);
}

int config_load_offline(const char *path, struct config **ret_config, struct buf *why)
{
    return config_load_file(path, CONFIG_USE_MAP, ret_config, why);
}

int config_load_render(const char *path, struct config **ret_config, struct buf *why)
{
    return config_load_file(path, CONFIG_USE_RENDER, ret_config, why);
}
