/* SPDX-License-Identifier: MIT */
/* What is to be said of HAProxy's servers, backends and pools. */
#include <string.h>
#include <strings.h>

#include "doctor.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define SLOT_LINE "server-template s 20 slot.invalid:1 disabled"
#define SLOT_DEFAULT "default-server init-addr last,0.0.0.0"

/* ---- servers ---- */

static const char *find_fqdn(const struct haproxy_state *state, const struct haproxy_server *server)
{
    for (size_t i = 0; i < state->n_columns; i++) {
        if (strcmp(state->header[i], "srv_fqdn") == 0) {
            return server->columns[i];
        }
    }
    return "-";
}

static bool is_invalid_name(const char *name)
{
    static const char suffix[] = ".invalid";
    size_t len = strlen(name);
    return len > sizeof(suffix) - 1 && strcasecmp(name + len - (sizeof(suffix) - 1), suffix) == 0;
}

enum doctor_server doctor_server_kind(const struct haproxy_state *state, const struct haproxy_server *server)
{
    const struct slot_observed *observed = &server->observed;
    const char *fqdn = find_fqdn(state, server);
    bool is_named = is_invalid_name(fqdn);
    bool is_disabled = (observed->admin & SLOT_ADMIN_CMAINT) != 0;
    if (is_named && !is_disabled) {
        return DOCTOR_SERVER_ENABLED;
    }
    if (is_named) {
        return observed->address[0] ? DOCTOR_SERVER_SLOT : DOCTOR_SERVER_NO_ADDR;
    }
    bool is_nowhere = strcmp(observed->address, "0.0.0.0") == 0 || strcmp(observed->address, "::") == 0;
    return is_disabled && is_nowhere && strcmp(fqdn, "-") == 0 ? DOCTOR_SERVER_LITERAL : DOCTOR_SERVER_OTHER;
}

static void count_server(const struct haproxy_state *state, const struct haproxy_server *server,
                         struct doctor_count *count)
{
    count->servers++;
    if (doctor_server_kind(state, server) == DOCTOR_SERVER_SLOT) {
        count->slots++;
        count->free += (server->observed.admin & SLOT_ADMIN_MAINT) != 0;
        count->checked += server->observed.checked;
    }
}

struct doctor_count *doctor_count_slots(const struct haproxy_state *state, size_t *ret_count)
{
    struct doctor_count *counts = mem_alloc_array(state->count, sizeof(*counts));
    size_t n = 0;
    for (size_t i = 0; i < state->count; i++) {
        if (n == 0 || strcmp(counts[n - 1].backend, state->servers[i].backend) != 0) {
            counts[n++].backend = state->servers[i].backend;
        }
        count_server(state, &state->servers[i], &counts[n - 1]);
    }
    *ret_count = n;
    return counts;
}

/* One finding a backend, whatever the number of its servers. */
static void judge_forms(const struct haproxy_state *state, struct doctor_findings *findings)
{
    static const struct {
        const char *code, *message, *remedy;
    } forms[] = {
        [DOCTOR_SERVER_NO_ADDR] = {"slot-without-address",
                                   "its slots have no address to be replaced (init-addr none): HAProxy refuses to give "
                                   "them one, for ever",
                                   SLOT_DEFAULT},
        [DOCTOR_SERVER_LITERAL] = {"slot-literal",
                                   "its servers are disabled at a literal 0.0.0.0: no reload would bring an address "
                                   "back, and slotd leaves them alone",
                                   SLOT_DEFAULT ", and " SLOT_LINE},
        [DOCTOR_SERVER_ENABLED] = {"slot-not-disabled",
                                   "its servers have a name below .invalid and are not `disabled`: slotd leaves them "
                                   "alone, and they may be given traffic",
                                   SLOT_LINE},
    };
    const char *told = "";
    for (size_t i = 0; i < state->count; i++) {
        const struct haproxy_server *server = &state->servers[i];
        enum doctor_server kind = doctor_server_kind(state, server);
        if ((size_t)kind < sizeof(forms) / sizeof(forms[0]) && forms[kind].code && strcmp(told, server->backend) != 0) {
            told = server->backend;
            doctor_report(findings, DOCTOR_ERROR, forms[kind].code, server->backend, "%s", forms[kind].message);
            doctor_remedy(findings, "haproxy.cfg, backend %s: %s", server->backend, forms[kind].remedy);
        }
    }
}

/* ---- backends ---- */

static const struct doctor_backend *find_backend(const struct doctor_backends *backends, const char *name)
{
    for (size_t i = 0; i < backends->count; i++) {
        if (strcmp(backends->items[i].name, name) == 0) {
            return &backends->items[i];
        }
    }
    return NULL;
}

/* "source", "uri", "hdr(x)" and the like: whether they take weights is a matter of hash-type, which is not shown. */
static bool is_hash(const char *balance)
{
    static const char *const words[] = {"source", "uri", "url_param", "hdr", "rdp-cookie", "hash"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(balance, words[i], strlen(words[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void judge_balance(const struct doctor_backend *backend, struct doctor_findings *findings)
{
    if (strcmp(backend->balance, "static-rr") == 0) {
        doctor_report(findings, DOCTOR_WARNING, "balance-static", backend->name,
                      "`balance static-rr` takes no weight but 0 and 100 %%: weights of labels, shares and gentle "
                      "starts have no effect");
        doctor_remedy(findings, "haproxy.cfg, backend %s: balance roundrobin", backend->name);
    } else if (is_hash(backend->balance)) {
        doctor_report(
            findings, DOCTOR_HINT, "balance-hash", backend->name,
            "`balance %s` with the default hash-type takes no weight but 0 and 100 %%, and sends most clients "
            "elsewhere whenever a task comes or goes",
            backend->balance);
        doctor_remedy(findings, "haproxy.cfg, backend %s: hash-type consistent", backend->name);
    }
}

static void judge_backend(const struct doctor_haproxy *haproxy, const struct doctor_count *count,
                          struct doctor_findings *findings)
{
    const struct doctor_backend *backend = find_backend(&haproxy->backends, count->backend);
    if (count->slots == 0) {
        return;
    }
    if (backend) {
        judge_balance(backend, findings);
    }
    if (count->slots == 1) {
        doctor_report(findings, DOCTOR_HINT, "slots-few", count->backend,
                      "it has one slot: a new task waits until the old one has gone, and its sessions have ended");
    } else if (count->free == 0) {
        doctor_report(findings, DOCTOR_WARNING, "slots-taken", count->backend,
                      "all of its %zu slots are taken: the next task waits", count->slots);
    } else {
        return;
    }
    doctor_remedy(findings, "haproxy.cfg, backend %s: %s", count->backend, SLOT_LINE);
}

void doctor_judge_slots(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    size_t first = findings->count;
    size_t n = 0;
    size_t slots = 0;
    size_t backends = 0;
    size_t taken = 0;
    if (!haproxy->state) {
        doctor_report(findings, DOCTOR_ERROR, "servers-unreadable", haproxy->config->name,
                      "HAProxy's servers cannot be read: %s", haproxy->state_error);
        return;
    }
    judge_forms(haproxy->state, findings);
    struct doctor_count *counts = doctor_count_slots(haproxy->state, &n);
    for (size_t i = 0; i < n; i++) {
        judge_backend(haproxy, &counts[i], findings);
        slots += counts[i].slots;
        taken += counts[i].slots - counts[i].free;
        backends += counts[i].slots > 0;
    }
    free(counts);
    if (slots == 0) {
        doctor_report(findings, DOCTOR_ERROR, "slots-none", haproxy->config->name,
                      "HAProxy has no slot: no task can take traffic");
        doctor_remedy(findings, "haproxy.cfg: slotctl render prints one with slots; by hand, in each backend: %s; %s",
                      SLOT_DEFAULT, SLOT_LINE);
    } else if (doctor_is_fine_since(findings, first)) {
        doctor_report(findings, DOCTOR_OK, "slots", haproxy->config->name, "%zu %s in %zu %s, %zu in use", slots,
                      text_plural(slots, "slot", "slots"), backends, text_plural(backends, "backend", "backends"),
                      taken);
    }
}

/* ---- pools ---- */

/* The pool whose prefix is the longest that fits. */
static const struct config_pool *find_pool(const struct config *config, const char *backend)
{
    const struct config_pool *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < config->slots.n_pools; i++) {
        const struct config_pool *pool = &config->slots.pools[i];
        size_t len = strlen(pool->prefix);
        if (len > longest && strncmp(backend, pool->prefix, len) == 0) {
            found = pool;
            longest = len;
        }
    }
    return found;
}

struct pool_view {
    const struct config_pool *pool;
    const struct doctor_haproxy *haproxy;
    size_t backends;
    const struct doctor_count *smallest, *largest;
    const struct doctor_backend *one, *other; /* differ in mode or balance, if there is an other */
};

static void view_add(struct pool_view *view, const struct doctor_count *count, const struct doctor_backend *backend)
{
    view->backends++;
    if (!view->smallest || count->slots < view->smallest->slots) {
        view->smallest = count;
    }
    if (!view->largest || count->slots > view->largest->slots) {
        view->largest = count;
    }
    if (backend && !view->one) {
        view->one = backend;
    } else if (backend &&
               (strcmp(backend->mode, view->one->mode) != 0 || strcmp(backend->balance, view->one->balance) != 0)) {
        view->other = backend;
    }
}

/* A backend without any server is in `show stat` alone, and is a pool's backend without slots. */
static struct pool_view view_pool(const struct config *config, const struct doctor_haproxy *haproxy,
                                  const struct config_pool *pool, const struct doctor_count *counts, size_t n,
                                  struct doctor_findings *findings)
{
    struct pool_view view = {.pool = pool, .haproxy = haproxy};
    for (size_t i = 0; i < n; i++) {
        if (find_pool(config, counts[i].backend) == pool && counts[i].slots > 0) {
            view_add(&view, &counts[i], find_backend(&haproxy->backends, counts[i].backend));
        }
    }
    for (size_t i = 0; i < haproxy->backends.count; i++) {
        const char *name = haproxy->backends.items[i].name;
        bool has_slots = false;
        for (size_t k = 0; k < n; k++) {
            has_slots = has_slots || (counts[k].slots > 0 && strcmp(counts[k].backend, name) == 0);
        }
        if (!has_slots && find_pool(config, name) == pool) {
            doctor_report(findings, DOCTOR_ERROR, "pool-backend-without-slots", name,
                          "it belongs to the pool %s* and has no slot: it is never given to a service", pool->prefix);
            doctor_remedy(findings, "haproxy.cfg, backend %s: %s; %s", name, SLOT_DEFAULT, SLOT_LINE);
        }
    }
    return view;
}

static void judge_mode(const struct pool_view *view, struct doctor_findings *findings)
{
    const struct config_pool *pool = view->pool;
    const char *wanted = strcmp(pool->class, "tcp") == 0 ? "tcp" : "http";
    if (view->one && view->one->mode[0] && strcmp(view->one->mode, wanted) != 0) {
        doctor_report(findings, DOCTOR_ERROR, "pool-mode", view->one->name,
                      "it is of the pool %s*, class %s, and its mode is %s", pool->prefix, pool->class,
                      view->one->mode);
        doctor_remedy(findings, "haproxy.cfg, backend %s: mode %s", view->one->name, wanted);
    }
    if (view->one && view->other) {
        doctor_report(findings, DOCTOR_WARNING, "pool-unequal", view->other->name,
                      "it is of the pool %s* and differs from %s: mode %s, balance %s, not mode %s, balance %s",
                      pool->prefix, view->one->name, view->other->mode, view->other->balance, view->one->mode,
                      view->one->balance);
        doctor_remedy(findings, "slotctl render, for pools of equal backends");
    }
}

static void judge_pool(const struct config *config, const struct pool_view *view, struct doctor_findings *findings)
{
    const struct config_pool *pool = view->pool;
    size_t first = findings->count;
    if (view->backends == 0) {
        doctor_report(findings, DOCTOR_WARNING, "pool-empty", pool->prefix,
                      "slotd.conf has a pool of the class %s, and HAProxy has no backend %s*", pool->class,
                      pool->prefix);
        doctor_remedy(findings, "slotctl render, or take the pool out of slots.pools");
        return;
    }
    if (view->smallest->slots != view->largest->slots) {
        doctor_report(findings, DOCTOR_WARNING, "pool-unequal", view->smallest->backend,
                      "it is of the pool %s* and has %zu %s, while %s has %zu: which one a service gets is chance",
                      pool->prefix, view->smallest->slots, text_plural(view->smallest->slots, "slot", "slots"),
                      view->largest->backend, view->largest->slots);
        doctor_remedy(findings, "haproxy.cfg: the same number in each server-template of %s*", pool->prefix);
    }
    judge_mode(view, findings);
    bool can_add = haproxy_capabilities_of(&view->haproxy->info.version).add_server && config->slots.add_servers;
    if (can_add && pool->server_options[0] == '\0') {
        doctor_report(findings, DOCTOR_HINT, "pool-not-growing", pool->prefix,
                      "HAProxy could be given more servers at run time, and the pool's server_options are empty: none "
                      "are added");
        doctor_remedy(findings, "slotd.conf, slots.pools: server_options = \"check inter 2s\"");
    }
    if (doctor_is_fine_since(findings, first)) {
        doctor_report(findings, DOCTOR_OK, "pool", pool->prefix, "class %s: %zu %s with %zu %s%s", pool->class,
                      view->backends, text_plural(view->backends, "backend", "backends"), view->smallest->slots,
                      text_plural(view->smallest->slots, "slot", "slots"), text_plural(view->backends, "", " each"));
    }
}

/* Backends that slotd makes are in no file: what an operator gives for their names is said where it is given. */
static void judge_made(const struct config *config, const struct doctor_haproxy *haproxy,
                       struct doctor_findings *findings)
{
    const struct config_slots *slots = &config->slots;
    const struct config_pool *made = NULL;
    for (size_t i = 0; i < slots->n_pools && !made; i++) {
        const struct config_pool *pool = &slots->pools[i];
        made = pool->defaults[0] && pool->server_options[0] ? pool : NULL;
    }
    if (made && slots->add_backends && slots->add_servers && haproxy->config->maps_dir[0] &&
        haproxy_capabilities_of(&haproxy->info.version).add_backend) {
        doctor_report(findings, DOCTOR_HINT, "backends-made", haproxy->config->name,
                      "new apps get backends made at run time (class %s: from `defaults %s`): their "
                      "names are in statistics, but after a reload or restart of HAProxy they answer 503 for about a "
                      "tenth of a second, until slotd has made them again; a pool's do not",
                      made->class, made->defaults);
        doctor_remedy(findings, "slotd.conf, slots: add_backends = false, where HAProxy is reloaded often");
    }
}

static void judge_leases_map(const struct doctor_haproxy *haproxy, struct doctor_findings *findings)
{
    if (haproxy->config->maps_dir[0] == '\0') {
        doctor_report(findings, DOCTOR_ERROR, "leases-without-maps", haproxy->config->name,
                      "it has backends of pools and no maps_dir: none is given to a service");
        doctor_remedy(findings, "slotd.conf, haproxy: maps_dir = \"/var/lib/slotd/maps\";");
        return;
    }
    for (size_t i = 0; i < haproxy->n_maps; i++) {
        const struct doctor_map *map = &haproxy->maps[i];
        if (strcmp(map->name, "leases.map") == 0 && !map->known) {
            doctor_report(findings, DOCTOR_ERROR, "leases-map-unknown", map->file.path,
                          "HAProxy's configuration does not mention it: no backend of a pool is given to a service");
            doctor_remedy(findings,
                          "haproxy.cfg, frontend: http-request set-var(txn.lease) str(-),map_str(%s) if FALSE",
                          map->file.path);
        }
    }
}

void doctor_judge_pools(const struct config *config, const struct doctor_haproxy *haproxy,
                        struct doctor_findings *findings)
{
    size_t n = 0;
    size_t used = 0;
    struct doctor_count *counts = doctor_count_slots(haproxy->state, &n);
    struct pool_view *views = mem_alloc_array(config->slots.n_pools, sizeof(*views));
    for (size_t i = 0; i < config->slots.n_pools; i++) {
        views[i] = view_pool(config, haproxy, &config->slots.pools[i], counts, n, findings);
        used += views[i].backends;
    }
    /* slotd.conf has pools by default: where HAProxy has none at all, none are wanted. */
    for (size_t i = 0; used > 0 && i < config->slots.n_pools; i++) {
        judge_pool(config, &views[i], findings);
    }
    if (used > 0) {
        judge_leases_map(haproxy, findings);
        judge_made(config, haproxy, findings);
    }
    free(views);
    free(counts);
}
