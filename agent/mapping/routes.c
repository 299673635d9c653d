/* SPDX-License-Identifier: MIT */
/* Rules that maps can express, by service and by host. */
#include <string.h>

#include "routes_private.h"
#include "slotd/mem.h"
#include "slotd/rule.h"
#include "slotd/table.h"
#include "slotd/text.h"

struct entry {
    struct route route;
    char *service, *frontend, *rule, *why;
    char **hosts; /* each once */
    size_t n_hosts;
    size_t n_keyed; /* hosts that have keys: all of them, or none */
    char **paths;   /* at least one */
    size_t n_paths;
    bool exact;
};

struct routes *routes_new(uint64_t seed)
{
    struct routes *routes = MEM_NEW(struct routes);
    table_init(&routes->services, seed);
    table_init(&routes->hosts, seed);
    return routes;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    free(texts);
}

static void entry_free(struct entry *entry)
{
    if (entry) {
        free_texts(entry->hosts, entry->n_hosts);
        free_texts(entry->paths, entry->n_paths);
        free(entry->service);
        free(entry->frontend);
        free(entry->rule);
        free(entry->why);
        free(entry);
    }
}

void routes_free(struct routes *routes)
{
    struct table_entry *slot;
    if (!routes) {
        return;
    }
    for (size_t position = 0; (slot = table_next(&routes->services, &position));) {
        entry_free(slot->value);
    }
    for (size_t position = 0; (slot = table_next(&routes->hosts, &position));) {
        route_host_free(slot->value);
    }
    table_free(&routes->services);
    table_free(&routes->hosts);
    free(routes);
}

/* ---- what a rule comes to ---- */

/* "Example.COM." and "example.com" are one host, for Traefik and in a look-up. NULL: it is no plain name. */
static char *plain_host(const char *value)
{
    char *host = mem_strdup(value);
    size_t len = strlen(host);
    if (len > 1 && host[len - 1] == '.') {
        host[len - 1] = '\0';
    }
    for (char *c = host; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    }
    if (text_is_host_name(host) || text_is_ip(host)) {
        return host;
    }
    free(host);
    return NULL;
}

/* Maps see a path as it was sent, rules as it is meant: what a client has to encode is no business of theirs. */
static bool path_is_plain(const char *path)
{
    return path[0] == '/' && text_is_map_word(path) && !strchr(path, '%') && !strchr(path, '?');
}

static void entry_refuse(struct entry *entry, enum route_means means, const char *what, const char *text)
{
    if (!entry->why) {
        struct buf why = BUF_INIT;
        buf_puts(&why, what);
        if (text) {
            buf_puts(&why, " `");
            text_append_safe(&why, text, strlen(text), 60);
            buf_puts(&why, "`");
        }
        entry->why = buf_steal(&why);
    }
    entry->route.means = means;
}

static bool has_text(char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void entry_take_hosts(struct entry *entry, const struct rule_part *part)
{
    if (entry->hosts) {
        entry_refuse(entry, ROUTE_BY_AGENT, "two matchers Host in one rule", NULL);
        return;
    }
    entry->hosts = mem_alloc_array(part->n_values, sizeof(*entry->hosts));
    for (size_t i = 0; i < part->n_values; i++) {
        char *host = plain_host(part->values[i]);
        if (!host) {
            entry_refuse(entry, ROUTE_BY_AGENT, "a host that is no plain name,", part->values[i]);
        } else if (has_text(entry->hosts, entry->n_hosts, host)) {
            free(host);
        } else {
            entry->hosts[entry->n_hosts++] = host;
        }
    }
}

static void entry_take_paths(struct entry *entry, const struct rule_part *part)
{
    if (entry->paths) {
        entry_refuse(entry, ROUTE_BY_AGENT, "two matchers of paths in one rule", NULL);
        return;
    }
    entry->exact = part->word == RULE_PATH;
    entry->paths = mem_alloc_array(part->n_values, sizeof(*entry->paths));
    for (size_t i = 0; i < part->n_values; i++) {
        if (!path_is_plain(part->values[i])) {
            entry_refuse(entry, ROUTE_BY_AGENT, "a path that is not plain,", part->values[i]);
        } else if (!has_text(entry->paths, entry->n_paths, part->values[i])) {
            entry->paths[entry->n_paths++] = mem_strdup(part->values[i]);
        }
    }
}

static void entry_take_part(struct entry *entry, const struct rule_part *part)
{
    if (part->n_values > ROUTES_MAX_KEYS) { /* not to be compared with one another: a rule may have 20,000 */
        entry_refuse(entry, ROUTE_BY_AGENT, "more than 1024 hosts times paths", NULL);
        return;
    }
    switch (part->word) {
    case RULE_HOST:
        entry_take_hosts(entry, part);
        break;
    case RULE_PATH:
    case RULE_PATH_PREFIX:
        entry_take_paths(entry, part);
        break;
    default:
        entry_refuse(entry, ROUTE_BY_AGENT, "the matcher", rule_word_text(part->word));
    }
}

static void entry_complete(struct entry *entry)
{
    if (!entry->hosts) {
        entry_refuse(entry, ROUTE_BY_AGENT, "no matcher Host", NULL);
    }
    if (!entry->paths) {
        entry->paths = mem_alloc_array(1, sizeof(*entry->paths));
        entry->paths[entry->n_paths++] = mem_strdup("/");
    }
    if (entry->n_hosts * entry->n_paths > ROUTES_MAX_KEYS) {
        entry_refuse(entry, ROUTE_BY_AGENT, "more than 1024 hosts times paths", NULL);
    }
}

static void entry_read_rule(struct entry *entry)
{
    struct rule *rule = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (rule_parse(entry->rule, &rule, &why)) {
        entry_refuse(entry, ROUTE_BY_NOBODY, buf_text(&why), NULL);
        return;
    }
    for (size_t i = 0; i < rule->n_parts; i++) {
        entry_take_part(entry, &rule->parts[i]);
    }
    entry_complete(entry);
    rule_free(rule);
}

static struct entry *entry_new(const char *service, const char *frontend, const char *rule, int64_t priority,
                               unsigned points)
{
    struct entry *entry = MEM_NEW(struct entry);
    entry->service = mem_strdup(service);
    entry->frontend = mem_strdup(frontend);
    entry->rule = mem_strdup(rule);
    entry_read_rule(entry);
    entry->n_keyed = entry->route.means == ROUTE_BY_MAP ? entry->n_hosts : 0;
    entry->route =
        (struct route){entry->service, entry->frontend, entry->rule, priority, points, entry->route.means, entry->why};
    return entry;
}

/* ---- by host ---- */

static void host_add(struct routes *routes, const char *name, const struct entry *entry)
{
    struct route_host *host = table_get(&routes->hosts, name);
    if (!host) {
        host = route_host_new(name);
        table_put(&routes->hosts, host->name, host);
    }
    for (size_t i = 0; i < entry->n_paths; i++) {
        route_host_add(host, (struct host_claim){entry->paths[i], entry->exact, &entry->route});
    }
}

static void host_remove(struct routes *routes, const char *name, const struct entry *entry)
{
    struct route_host *host = table_get(&routes->hosts, name);
    for (size_t i = 0; i < entry->n_paths; i++) {
        route_host_remove(host, (struct host_claim){entry->paths[i], entry->exact, &entry->route});
    }
    if (host->count == 0) {
        table_remove(&routes->hosts, name);
        route_host_free(host);
    }
}

/* Its keys, but for those that the other one has too. */
static void tell(const struct entry *entry, const struct entry *but, routes_touched *touched, void *arg)
{
    for (size_t h = 0; entry && h < entry->n_keyed; h++) {
        bool has_host = but && has_text(but->hosts, but->n_keyed, entry->hosts[h]);
        for (size_t i = 0; i < entry->n_paths; i++) {
            if (!has_host || !has_text(but->paths, but->n_paths, entry->paths[i])) {
                cleanup_free char *key = mem_printf("%s%s", entry->hosts[h], entry->paths[i]);
                touched(arg, key);
            }
        }
    }
}

void routes_set(struct routes *routes, const char *service, const char *frontend, const char *rule, int64_t priority,
                unsigned points, routes_touched *touched, void *arg)
{
    struct entry *old = table_get(&routes->services, service);
    if (old && rule && old->route.priority == priority && old->route.points == points && strcmp(old->rule, rule) == 0 &&
        strcmp(old->frontend, frontend) == 0) {
        return;
    }
    struct entry *entry = rule ? entry_new(service, frontend, rule, priority, points) : NULL;
    for (size_t i = 0; old && i < old->n_keyed; i++) {
        host_remove(routes, old->hosts[i], old);
    }
    if (entry) {
        table_put(&routes->services, entry->service, entry);
    } else if (old) {
        table_remove(&routes->services, service);
    }
    for (size_t i = 0; entry && i < entry->n_keyed; i++) {
        host_add(routes, entry->hosts[i], entry);
    }
    tell(entry, NULL, touched, arg);
    tell(old, entry, touched, arg);
    entry_free(old);
}

const struct route *routes_get(const struct routes *routes, const char *service)
{
    const struct entry *entry = table_get(&routes->services, service);
    return entry ? &entry->route : NULL;
}

void routes_tell_keys(const struct routes *routes, const char *service, routes_touched *touched, void *arg)
{
    tell(table_get(&routes->services, service), NULL, touched, arg);
}

const char *const *routes_named_hosts(const struct routes *routes, const char *service, size_t *ret_count)
{
    const struct entry *entry = table_get(&routes->services, service);
    *ret_count = entry ? entry->n_hosts : 0;
    return entry ? (const char *const *)entry->hosts : NULL;
}

const char *routes_next_host(const struct routes *routes, size_t *position)
{
    const struct table_entry *slot = table_next(&routes->hosts, position);
    return slot ? slot->key : NULL;
}

static int compare_routes(const void *a, const void *b)
{
    return strcmp((*(const struct route *const *)a)->service, (*(const struct route *const *)b)->service);
}

const struct route **routes_list(const struct routes *routes, size_t *ret_count)
{
    const struct route **list = mem_alloc_array(routes->services.count, sizeof(*list));
    struct table_entry *slot;
    size_t count = 0;
    for (size_t position = 0; (slot = table_next(&routes->services, &position));) {
        list[count++] = &((const struct entry *)slot->value)->route;
    }
    if (count > 1) {
        qsort(list, count, sizeof(*list), compare_routes);
    }
    *ret_count = count;
    return list;
}
