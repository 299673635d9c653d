/* SPDX-License-Identifier: MIT */
/* What `slotctl render` writes into a haproxy.cfg has to keep its place there: nothing is quoted, what would need it is
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "group.h"
#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/mem.h"

static const char *const class_words[CONFIG_N_CLASSES] = {
    [CONFIG_CLASS_HTTP] = "http",     [CONFIG_CLASS_LEASTCONN] = "leastconn",
    [CONFIG_CLASS_STICKY] = "sticky", [CONFIG_CLASS_HTTPS] = "https",
    [CONFIG_CLASS_H2C] = "h2c",       [CONFIG_CLASS_TCP] = "tcp",
};

int config_class_parse(const char *word, enum config_class *ret_class)
{
    for (int i = 0; i < CONFIG_N_CLASSES; i++) {
        if (strcmp(class_words[i], word) == 0) {
            *ret_class = (enum config_class)i;
            return 0;
        }
    }
    return SLOTD_E_PARSE;
}

bool config_options_have(const char *options, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = options; *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        if (strcspn(at, " ") == len && strncmp(at, word, len) == 0) {
            return true;
        }
    }
    return false;
}

#define CA_FILE                                                                                                        \
    "/etc/ssl/certs/ca-certificates.crt" /* Debian's, Fedora has it too; server_options may name another               \
                                          */

const char *config_class_options(enum config_class class, const char *server_options)
{
    if (class == CONFIG_CLASS_HTTPS) {
        return config_options_have(server_options, "verify") ? " ssl" : " ssl verify required ca-file " CA_FILE;
    }
    return class == CONFIG_CLASS_H2C ? " proto h2" : "";
}

struct config *config_new_render_default(void)
{
    struct config *config = config_new_default();
    for (size_t i = 0; i < config_root.n_keys; i++) {
        const struct config_key *key = &config_root.keys[i];
        if (config_key_field(key, config) == (void *)&config->haproxy) {
            config->haproxy = mem_alloc(key->group->size);
            config_group_set_defaults(key->group, config->haproxy);
            config->n_haproxy = 1;
        }
    }
    return config;
}

/* The string that was written, "" when there is none. */
static const char *rendered_text(const config_setting_t *group, const char *key)
{
    const config_setting_t *member = config_setting_get_member(group, key);
    const char *text = member ? config_setting_get_string(member) : NULL;
    return text ? text : "";
}

/* Runs a check over one key of a list's entry; name is the list's. */
static void rendered_check_key(struct config_source *source, const char *name, const config_setting_t *entry,
                               const char *key, config_check *check)
{
    cleanup_buf struct buf why = BUF_INIT;
    const char *text = rendered_text(entry, key);
    if (*text && !check(text, &why)) {
        config_source_report(source, config_setting_source_line(config_setting_get_member(entry, key)), "%s.%s%s", name,
                             key, buf_text(&why));
    }
}

static void rendered_check_haproxy(struct config_source *source, const config_setting_t *entry)
{
    rendered_check_key(source, "haproxy", entry, "state_file", config_check_rendered_path);
    rendered_check_key(source, "haproxy", entry, "maps_dir", config_check_rendered_path);
    if (rendered_text(entry, "socket")[0] == '/') {
        rendered_check_key(source, "haproxy", entry, "socket", config_check_rendered_path);
    }
}

static void rendered_check_pool(struct config_source *source, const config_setting_t *entry)
{
    rendered_check_key(source, "slots.pools", entry, "prefix", config_check_rendered_prefix);
    rendered_check_key(source, "slots.pools", entry, "defaults", config_check_rendered_defaults);
}

/* Two pools may share their `defaults` when it says the same for both. */
static void rendered_check_shared(struct config_source *source, const config_setting_t *pools, int place)
{
    const config_setting_t *entry = config_setting_get_elem(pools, (unsigned)place);
    const char *defaults = rendered_text(entry, "defaults");
    for (int i = 0; i < place && *defaults; i++) {
        const config_setting_t *earlier = config_setting_get_elem(pools, (unsigned)i);
        if (strcmp(rendered_text(earlier, "defaults"), defaults) == 0 &&
            (strcmp(rendered_text(earlier, "class"), rendered_text(entry, "class")) != 0 ||
             strcmp(rendered_text(earlier, "server_options"), rendered_text(entry, "server_options")) != 0)) {
            config_source_report(source, config_setting_source_line(config_setting_get_member(entry, "defaults")),
                                 "slots.pools.defaults \"%s\" is that of an entry with another class or other "
                                 "server_options; give each its own",
                                 defaults);
            return;
        }
    }
}

static void rendered_check_passthrough(struct config_source *source, const config_setting_t *edge)
{
    const config_setting_t *member = config_setting_get_member(edge, "sni_passthrough");
    if (member && config_setting_get_bool(member) && !rendered_text(edge, "https_bind")[0]) {
        config_source_report(source, config_setting_source_line(member),
                             "edge.sni_passthrough is set without edge.https_bind, to which clients of TLS connect");
    }
}

void config_rendered_check(struct config_source *source, const config_setting_t *root)
{
    if (source->n_findings > 0) {
        return; /* what was refused already is not looked at twice, and may be of another type */
    }
    const config_setting_t *haproxy = config_setting_get_member(root, "haproxy");
    const config_setting_t *slots = config_setting_get_member(root, "slots");
    const config_setting_t *pools = slots ? config_setting_get_member(slots, "pools") : NULL;
    const config_setting_t *edge = config_setting_get_member(root, "edge");
    for (int i = 0; i < config_setting_length(haproxy); i++) {
        rendered_check_haproxy(source, config_setting_get_elem(haproxy, (unsigned)i));
    }
    for (int i = 0; pools && i < config_setting_length(pools); i++) {
        rendered_check_pool(source, config_setting_get_elem(pools, (unsigned)i));
        rendered_check_shared(source, pools, i);
    }
    if (edge) {
        rendered_check_passthrough(source, edge);
    }
}
