/* SPDX-License-Identifier: MIT */
/* Servers that are added to a backend with too few slots: where that is allowed, what HAProxy says to it, what is told
 * of it. */
#include <string.h>

#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define SERVERS_MAX_REFUSAL 200 /* bytes of HAProxy's text */

static const char requests_left[] = "requests refer to it, and may try it again";

/* ---- where ---- */

const struct config_pool *config_find_pool(const struct config_slots *config, const char *backend)
{
    const struct config_pool *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < config->n_pools; i++) {
        size_t len = strlen(config->pools[i].prefix);
        if (len > longest && strncmp(backend, config->pools[i].prefix, len) == 0) {
            found = &config->pools[i];
            longest = len;
        }
    }
    return found;
}

static const struct config_pool *backend_find_pool(const struct edge_backend *backend)
{
    const struct config_pool *pool = edge_dynamic_find_pool(backend->edge, backend->name);
    return pool ? pool : config_find_pool(&backend->edge->engine->config->slots, backend->name);
}

/* `default-server` has no effect on a server that is added: what the class needs is said again, and what the
 * configuration's servers do by themselves. The pool's own options come last, and count. */
static char *make_options(const struct edge *edge, const struct config_pool *pool)
{
    struct buf options = BUF_INIT;
    enum config_class class = CONFIG_CLASS_HTTP;
    bool is_known = config_class_parse(pool->class, &class) == 0;
    if (!edge->capabilities.idle_pool) {
        buf_puts(&options, "pool-max-conn -1 pool-purge-delay 5s ");
    }
    if (is_known && class == CONFIG_CLASS_HTTPS && edge->capabilities.sni_auto) {
        buf_puts(&options, "no-sni-auto no-check-sni-auto ");
    }
    const char *of_class = is_known ? config_class_options(class, pool->server_options) : "";
    buf_printf(&options, "%s%s%s", of_class[0] ? of_class + 1 : "", of_class[0] ? " " : "", pool->server_options);
    char *text = mem_strdup(buf_text(&options));
    buf_free(&options);
    return text;
}

void backend_configure_servers(struct edge_backend *backend)
{
    const struct edge *edge = backend->edge;
    const struct config_pool *pool = edge->engine->config->slots.add_servers ? backend_find_pool(backend) : NULL;
    char *options = pool && pool->server_options[0] ? make_options(edge, pool) : NULL;
    if (!text_equal(options, backend->server_options)) {
        edge_mark_dirty(backend);
    }
    free(backend->server_options);
    backend->server_options = options;
}

void edge_servers_configure(struct edge *edge)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        backend_configure_servers(entry->value);
    }
}

/* ---- replies ---- */

/* Its first line: a HAProxy that does not know the command answers with all that it knows. */
static void backend_note_refusal(struct edge_backend *backend, const char *reply, size_t len)
{
    struct buf text = BUF_INIT;
    const char *end = memchr(reply, '\n', len);
    len = end ? (size_t)(end - reply) : len;
    while (len > 0 && (reply[len - 1] == '.' || reply[len - 1] == ' ')) {
        len--;
    }
    text_append_safe(&text, reply, len, SERVERS_MAX_REFUSAL);
    free(backend->server_refusal);
    backend->server_refusal = mem_strdup(buf_text(&text));
    buf_free(&text);
}

bool backend_take_server_reply(struct edge_backend *backend, const struct slot_command *command,
                               enum haproxy_reply verdict, const char *reply, size_t len)
{
    struct edge *edge = backend->edge;
    bool adds = command->kind == SLOT_COMMAND_ADD;
    if (command->kind == SLOT_COMMAND_ASK && verdict == HAPROXY_REPLY_DONE) {
        return true;
    }
    if (verdict == HAPROXY_REPLY_DONE) {
        log_info("haproxy", "%s: server %s/%s %s", edge->config->name, backend->name, command->server,
                 adds ? "added: its backend has fewer slots than endpoints" : "deleted: it was needed no more");
        *(adds ? &edge->servers_added : &edge->servers_deleted) += 1;
        free(backend->server_refusal);
        backend->server_refusal = NULL;
        return true;
    }
    if (command->kind == SLOT_COMMAND_ASK && verdict == HAPROXY_REPLY_BUSY) {
        /* Its text is about whose requests they are. */
        backend_note_refusal(backend, requests_left, sizeof(requests_left) - 1);
    } else {
        backend_note_refusal(backend, reply, len);
    }
    if (verdict != HAPROXY_REPLY_BUSY) {
        edge->refusals++;
        log_warning("haproxy", "%s: server %s/%s was not %s: %s", edge->config->name, backend->name, command->server,
                    adds ? "added" : "deleted", backend->server_refusal);
    }
    if (adds && slots_get_growth(backend->slots).added == 0) {
        edge_dynamic_fail(edge, backend->name, backend->server_refusal);
    }
    return false;
}

/* ---- what is told ---- */

void backend_explain_servers(const struct edge_backend *backend, struct buf *why)
{
    const struct edge *edge = backend->edge;
    const struct config_slots *config = &edge->engine->config->slots;
    const struct config_pool *pool = backend_find_pool(backend);
    struct slots_growth growth = slots_get_growth(backend->slots);
    if (!config->add_servers) {
        buf_puts(why, ", or set slots.add_servers = true");
    } else if (!pool) {
        buf_puts(why, "; servers are added to backends of pools alone, whose server_options are known");
    } else if (!pool->server_options[0]) {
        buf_printf(why, ", or set server_options for the pool %s*, such as \"check inter 2s\": slotd adds servers then",
                   pool->prefix);
    } else if (!edge->capabilities.add_server) {
        buf_printf(why, "; HAProxy %s cannot add servers at run time, 2.6 and later can", edge->info.version.text);
    } else if (growth.limited) {
        buf_printf(why, "; slotd has added %zu %s to it, and adds no more than %d to one backend", growth.added,
                   text_plural(growth.added, "server", "servers"), SLOTS_MAX_ADDED);
    } else if (growth.refused && backend->server_refusal) {
        buf_printf(why, "; HAProxy does not add one (tried again within 5 minutes): %s", backend->server_refusal);
    } else {
        buf_puts(why, "; a server is being added");
    }
}

void edge_explain_servers(const struct edge *edge, struct json_object *warnings)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        const struct edge_backend *backend = entry->value;
        struct slots_growth growth = slots_get_growth(backend->slots);
        if (growth.undeletable > 0 && backend->server_refusal) {
            cleanup_free char *text = mem_printf(
                "HAProxy %s: %zu %s that slotd has added to backend %s %s needed no more and cannot be deleted yet: %s",
                edge->config->name, growth.undeletable, text_plural(growth.undeletable, "server", "servers"),
                backend->name, text_plural(growth.undeletable, "is", "are"), backend->server_refusal);
            json_object_array_add(warnings, json_object_new_string(text));
        }
    }
}
