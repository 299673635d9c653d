/* SPDX-License-Identifier: MIT */
/* `slotctl render`: words, slotd.conf, output. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_private.h"
#include "render.h"
#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

struct render_call {
    const char *file; /* NULL: not said */
    const char *name; /* NULL: the first HAProxy */
    unsigned n_backends, n_slots;
    bool init;
};

static bool take_number(const char *option, const char *word, int64_t max, unsigned *ret_number, struct buf *complaint)
{
    int64_t number = 0;
    if (text_parse_int(word, 1, max, &number)) {
        buf_printf(complaint, "%s needs a whole number from 1 to %" PRId64 ", not `%s`", option, max, word);
        return false;
    }
    *ret_number = (unsigned)number;
    return true;
}

/* An option that has a value, NULL when it was not given. Returns whether both are good. */
static bool take_value(const char *option, const char *value, struct render_call *call, struct buf *complaint)
{
    bool is_backends = strcmp(option, "--backends") == 0;
    bool is_slots = strcmp(option, "--slots") == 0;
    bool is_name = strcmp(option, "--name") == 0;
    if (!is_backends && !is_slots && !is_name && strcmp(option, "-c") != 0) {
        buf_printf(complaint, "%s %s", option[0] == '-' ? "knows no option" : "takes options only, not", option);
        return false;
    }
    if (!value) {
        buf_printf(complaint, "%s needs a value", option);
        return false;
    }
    if (is_backends) {
        return take_number(option, value, RENDER_MAX_BACKENDS, &call->n_backends, complaint);
    }
    if (is_slots) {
        return take_number(option, value, RENDER_MAX_SLOTS, &call->n_slots, complaint);
    }
    *(is_name ? &call->name : &call->file) = value;
    return true;
}

static bool take_words(int argc, char **argv, struct render_call *call, struct buf *complaint)
{
    for (int i = 0; i < argc; i++) {
        const char *equals = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;
        cleanup_free char *option = equals ? mem_strndup(argv[i], (size_t)(equals - argv[i])) : mem_strdup(argv[i]);
        if (strcmp(option, "--init") == 0) {
            buf_puts(equals ? complaint : NULL, "--init takes no value");
            call->init = true;
            continue;
        }
        const char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!take_value(option, value, call, complaint)) {
            return false;
        }
    }
    return complaint->len == 0;
}

/* The file that was named; else the one that slotd reads; without that one the defaults. */
static struct config *load_config(const char *path)
{
    struct config *config = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (!path && access(CONFIG_DEFAULT_FILE, F_OK) != 0 && errno == ENOENT) {
        fputs("slotctl: there is no " CONFIG_DEFAULT_FILE ", and -c names no other file: these are the defaults\n",
              stderr);
        return config_new_render_default();
    }
    if (config_load_render(path ? path : CONFIG_DEFAULT_FILE, &config, &why)) {
        fputs(buf_text(&why), stderr);
        return NULL;
    }
    return config;
}

static const struct config_haproxy *find_haproxy(const struct config *config, const char *name)
{
    cleanup_buf struct buf names = BUF_INIT;
    for (size_t i = 0; i < config->n_haproxy; i++) {
        if (!name || strcmp(config->haproxy[i].name, name) == 0) {
            return &config->haproxy[i];
        }
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", config->haproxy[i].name);
    }
    fprintf(stderr, "slotctl: no HAProxy %s in slotd.conf, which has %s\n", name, buf_text(&names));
    return NULL;
}

static void print_configuration(const struct ctl *ctl, struct json_object *document)
{
    (void)ctl;
    struct json_object *text = NULL;
    json_object_object_get_ex(document, "configuration", &text);
    fputs(json_object_get_string(text), stdout);
}

static int render_for(const struct ctl *ctl, const struct render_call *call, const struct config *config)
{
    cleanup_buf struct buf text = BUF_INIT;
    struct render render = {config, find_haproxy(config, call->name), call->n_backends, call->n_slots};
    if (!render.haproxy || (call->init && !render_init_files(render.haproxy))) {
        return CTL_EXIT_FAILED;
    }
    render_configuration(&render, &text);
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "haproxy", json_object_new_string(render.haproxy->name));
    json_object_object_add(document, "configuration", json_object_new_string(buf_text(&text)));
    ctl_print(ctl, document, print_configuration);
    json_object_put(document);
    return CTL_EXIT_DONE;
}

int ctl_render(const struct ctl *ctl, int argc, char **argv, struct buf *complaint)
{
    struct render_call call = {.n_backends = RENDER_DEFAULT_BACKENDS, .n_slots = RENDER_DEFAULT_SLOTS};
    if (!take_words(argc, argv, &call, complaint)) {
        return CTL_EXIT_USAGE;
    }
    struct config *config = load_config(call.file);
    int code = config ? render_for(ctl, &call, config) : CTL_EXIT_FAILED;
    config_free(config);
    return code;
}
