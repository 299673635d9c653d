/* SPDX-License-Identifier: MIT */
/* Routes: whoever looks up a host and a path reaches a service that claims it. A route comes after its first server,
 * goes before its servers do, and stands as long as its rule. */
#include <stdio.h>
#include <string.h>

#include "rules_parts.h"

#define MAX_EVER 160
#define STARTED_US (15 * SECOND) /* what the process before it has acknowledged may have been lost */

/* Who has ever claimed a key, as slotd was told, service by service. */
static struct {
    char key[48];
    bool is_exact;
    unsigned services;
} ever[MAX_EVER];
static size_t n_ever;
static struct claims told[N_BACKEND_NAMES];
static bool is_told[N_BACKEND_NAMES];
static bool was_told[N_BACKEND_NAMES]; /* since this slotd may act */
static unsigned generation;
static int64_t changed_us; /* when the claims changed last */
static size_t led_to;      /* the service that the key of the command led to before it */
static size_t was_led_to;  /* the same, by what HAProxy was told last, whatever slotd makes of it */
static bool led_nowhere;   /* in a backend of it where nobody served */
static bool led_in_doubt;  /* somebody may serve there whom slotd has not heard of, or not enough */

void rules_reset_routes(void)
{
    n_ever = 0;
    generation = 0;
    changed_us = 0;
    memset(is_told, 0, sizeof(is_told));
    memset(was_told, 0, sizeof(was_told));
}

/* ---- who claims what ---- */

static void note_ever(const struct claim *claim, size_t service)
{
    size_t place = 0;
    while (place < n_ever && (ever[place].is_exact != claim->is_exact || strcmp(ever[place].key, claim->key) != 0)) {
        place++;
    }
    if (place == MAX_EVER) {
        return;
    }
    if (place == n_ever) {
        n_ever++;
        (void)snprintf(ever[place].key, sizeof(ever[place].key), "%s", claim->key);
        ever[place].is_exact = claim->is_exact;
        ever[place].services = 0;
    }
    ever[place].services |= 1u << service;
}

static bool has_ever_claimed(size_t service, const char *key, bool is_exact)
{
    for (size_t i = 0; i < n_ever; i++) {
        if (ever[i].is_exact == is_exact && strcmp(ever[i].key, key) == 0) {
            return (ever[i].services >> service & 1) != 0;
        }
    }
    return false;
}

static bool claims_equal(const struct claims *a, const struct claims *b)
{
    bool equal = a->count == b->count && a->priority == b->priority;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal = a->claims[i].is_exact == b->claims[i].is_exact && strcmp(a->claims[i].key, b->claims[i].key) == 0;
    }
    return equal;
}

static void note_claims(void)
{
    if (generation != sim.generation) {
        generation = sim.generation;
        memset(was_told, 0, sizeof(was_told));
    }
    for (size_t service = 0; service < N_BACKEND_NAMES; service++) {
        struct claims claims;
        bool now = service_claims(service, definition_told, &claims);
        if (now != is_told[service] || !claims_equal(&claims, &told[service])) {
            changed_us = now_us();
        }
        is_told[service] = now;
        was_told[service] = was_told[service] || (now && slotd && slotd->feed.answered);
        told[service] = claims;
        for (size_t i = 0; i < claims.count; i++) {
            note_ever(&claims.claims[i], service);
        }
    }
}

static bool some_are_posted(void)
{
    for (size_t i = 0; i < MAX_APPS; i++) {
        if (marathon.apps[i].is_posted) {
            return true;
        }
    }
    return false;
}

/* slotd was told of the service, and it does not want the key, or is no more. */
static bool has_given_up(size_t service, const char *key, bool is_exact)
{
    return service != NOBODY && was_told[service] && !some_are_posted() &&
           !(is_told[service] && claims_have(&told[service], key, is_exact));
}

/* Another service claims something on the same host. */
static bool is_contested(size_t service, const char *key)
{
    size_t len = strcspn(key, "/") + 1;
    for (size_t other = 0; other < N_BACKEND_NAMES; other++) {
        for (size_t i = 0; is_told[other] && other != service && i < told[other].count; i++) {
            if (strncmp(told[other].claims[i].key, key, len) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* slotd knows what is in the map, and may change it. */
static bool map_is_kept(const struct haproxy *haproxy, size_t number)
{
    const struct edge *edge = slotd_edge(haproxy);
    return edge && edge->maps[number] && edge->maps[number]->state == EDGE_MAP_IN_STEP &&
           !map_is_tainted(&haproxy->maps[number]) && haproxy->strayed_us < now_us();
}

/* Tasks may be behind it whom slotd has not heard of. */
static bool is_in_doubt(const struct backend *backend)
{
    const struct edge *edge = slotd_edge(backend->haproxy);
    const struct edge_backend *known = edge ? edge_find_backend(edge, backend->name) : NULL;
    return !known || !engine_is_confident(slotd) || slots_count_states(known->slots).orphans > 0;
}

/* ---- after every step ---- */

static void check_line(struct haproxy *haproxy, size_t number, const struct map_line *line, bool is_late)
{
    const struct backend *backend = haproxy_find_backend(haproxy, line->value);
    bool is_exact = number == MAP_PATHS;
    bool is_doubted = backend && now_us() - backend->doubted_us < GONE_GRACE;
    /* What another hand has led there may be somebody's whom slotd has not heard of yet. */
    bool is_given = backend && now_us() - backend->taken_us > GONE_GRACE && !(is_doubted && line->is_foreign);
    for (size_t i = 0; is_given && i < backend->n_servers; i++) {
        const struct server *server = &backend->servers[i];
        bool counts = server_takes_new(server) && server->weight > 0 && !server_is_tainted(server);
        if (counts && server->service != NOBODY && !has_ever_claimed(server->service, line->key, is_exact)) {
            broken("traffic", "%s of %s leads to %s, and %s there is of %s, which never claimed it", line->key,
                   haproxy->name, backend->name, server->name, backend_names[server->service]);
        }
    }
    if (backend && is_late && !is_doubted && has_given_up(backend->number, line->key, is_exact)) {
        broken("traffic", "%s of %s leads to %s of %s, which does not claim it since %lld ms", line->key, haproxy->name,
               backend->name, backend_names[backend->number], (long long)((now_us() - changed_us) / MS));
    }
}

void rules_check_routes(void)
{
    note_claims();
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        bool is_late = now_us() - able_since(haproxy) > GONE_GRACE && now_us() - changed_us > GONE_GRACE &&
                       now_us() - sim.settings_us > GONE_GRACE;
        for (size_t b = 0; b < haproxy->n_backends; b++) {
            struct backend *backend = &haproxy->backends[b];
            backend->doubted_us = is_in_doubt(backend) ? now_us() : backend->doubted_us;
        }
        for (size_t m = MAP_ROUTES; haproxy->is_up && m <= MAP_PATHS; m++) {
            const struct runtime_map *map = &haproxy->maps[m];
            bool counts = !map_is_tainted(map) && haproxy->strayed_us < now_us();
            for (size_t i = 0; counts && i < map->count; i++) {
                check_line(haproxy, m, &map->lines[i], is_late && map_is_kept(haproxy, m));
            }
        }
    }
}

/* ---- a server goes ---- */

/* Its service has left that backend of a pool, and wants the key still: requests would find nobody. */
static bool is_left_behind(size_t service, const struct backend *backend, const char *key, bool is_exact)
{
    return backend->class && backend->number != service && now_us() - backend->taken_us > GONE_GRACE &&
           is_told[service] && !some_are_posted() && claims_have(&told[service], key, is_exact);
}

/* What slotd says now it says with all that it was told in mind; a route that is not wanted any more has gone before.
 */
void rules_check_route_first(const struct wire *wire, const char *words, const struct backend *backend,
                             const struct server *server)
{
    struct haproxy *haproxy = backend->haproxy;
    size_t service = server->service;
    if (wire->is_older || !wire->stream || service == NOBODY || now_us() - haproxy->quiet_us < GONE_GRACE) {
        return;
    }
    note_claims();
    for (size_t m = MAP_ROUTES; m <= MAP_PATHS; m++) {
        const struct runtime_map *map = &haproxy->maps[m];
        for (size_t i = 0; map_is_kept(haproxy, m) && i < map->count; i++) {
            const char *key = map->lines[i].key;
            bool leads = strcmp(map->lines[i].value, backend->name) == 0;
            bool is_given_up = leads && has_given_up(service, key, m == MAP_PATHS);
            if (is_given_up || (leads && is_left_behind(service, backend, key, m == MAP_PATHS))) {
                broken("route-first", "%s/%s %s: %s still leads there, and %s %s", backend->name, server->name, words,
                       key, backend_names[service], is_given_up ? "does not claim it any more" : "has left");
            }
        }
    }
}

/* ---- maps are changed ---- */

static const struct backend *find_led_to(struct haproxy *haproxy, size_t number, const char *key)
{
    const struct map_line *line = map_find(&haproxy->maps[number], key);
    return line ? haproxy_find_backend(haproxy, line->value) : NULL;
}

void rules_map_before(const struct wire *wire, size_t number, const char *key)
{
    rules_note_backends();
    note_claims();
    const struct backend *backend = find_led_to(wire->haproxy, number, key);
    led_to = backend ? backend->number : NOBODY;
    was_led_to = backend && backend->class ? backend->held : led_to;
    led_nowhere = backend && count_serving(backend) == 0;
    led_in_doubt = backend && is_in_doubt(backend);
}

/* A route that came is one of a service that serves, or did before. */
static void check_opening(struct haproxy *haproxy, const struct map_line *line)
{
    struct backend *backend = haproxy_find_backend(haproxy, line->value);
    if (!backend) {
        broken("name", "%s leads to %s, which HAProxy does not have", line->key, line->value);
        return;
    }
    bool is_new = now_us() - haproxy->started_us < STARTED_US;
    /* It stood before: its service has moved, and had nobody left where it was. */
    bool is_old = led_nowhere && led_to == backend->number && led_to != NOBODY;
    if (!backend->is_opened && !is_new && !is_old) {
        broken("early", "%s leads to %s, where no server is ready yet", line->key, backend->name);
    }
    backend->is_opened = true;
}

/* Its rule claims the key alone; or slotd has not heard of it since its start, and it has the rule that it had. */
static bool is_to_stand(size_t service, const char *key, bool is_exact)
{
    struct claims claims;
    bool is_doubted = led_in_doubt && !led_nowhere && !was_told[service];
    bool is_claimed = is_told[service] ? claims_have(&told[service], key, is_exact)
                                       : is_doubted && service_claims(service, definition_true, &claims) &&
                                             claims_have(&claims, key, is_exact);
    return is_claimed && !is_contested(service, key);
}

/* One that went, or leads elsewhere: nobody claims it any more, or somebody who comes first does. */
static void check_standing(const struct wire *wire, size_t number, const char *key)
{
    const struct backend *now = find_led_to(wire->haproxy, number, key);
    size_t target = now ? now->number : NOBODY;
    size_t given_to = now && now->class ? now->held : target;
    if (was_led_to == NOBODY || target == was_led_to || given_to == was_led_to || wire->is_older || some_are_posted() ||
        !is_to_stand(was_led_to, key, number == MAP_PATHS) || !map_is_kept(wire->haproxy, number) ||
        now_us() - sim.settings_us < GONE_GRACE) {
        return;
    }
    broken("stands", "%s led to %s, whose rule claims it alone, and leads to %s now", key, backend_names[was_led_to],
           backend_names[target]);
}

void rules_map_after(const struct wire *wire, size_t number, const char *key, bool is_deleted)
{
    struct haproxy *haproxy = wire->haproxy;
    const struct map_line *line = map_find(&haproxy->maps[number], key);
    struct backend *backend = line ? haproxy_find_backend(haproxy, line->value) : NULL;
    if (number == MAP_LEASES) {
        if (backend) {
            rules_check_lease(backend, backend_number(key), "lease ");
        }
        return;
    }
    if (number != MAP_ROUTES && number != MAP_PATHS) {
        return;
    }
    if (backend) {
        rules_check_lease(backend, backend->number, key);
    }
    /* Where another line of the key is left, somebody else has opened that. */
    if (line && !is_deleted) {
        check_opening(haproxy, line);
    }
    check_standing(wire, number, key);
}

/* By any way, of tcp too. */
static bool is_led_to(const struct backend *backend)
{
    bool leads = false;
    for (size_t i = MAP_ROUTES; i < MAP_LEASES; i++) {
        leads = leads || map_leads_to(&backend->haproxy->maps[i], backend->name);
    }
    return leads;
}

/* What the files led to has been open before. */
void rules_loaded(struct haproxy *haproxy)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        backend->is_opened = backend->is_opened || is_led_to(backend);
    }
}

/* What leads to a service by another hand is open, and its leases may have been lost. */
void rules_map_shown(struct haproxy *haproxy, size_t number)
{
    for (size_t b = 0; b < haproxy->n_backends; b++) {
        struct backend *backend = &haproxy->backends[b];
        bool may_be = !slotd || !slotd->feed.answered;
        bool exists = may_be || (backend->number != NOBODY && is_told[backend->number]);
        bool is_route = number >= MAP_ROUTES && number < MAP_LEASES;
        backend->is_opened =
            backend->is_opened || (exists && is_route && map_leads_to(&haproxy->maps[number], backend->name));
    }
    if (number == MAP_LEASES) {
        haproxy->strayed_us = now_us() + 120 * SECOND;
    }
}

/* The next service in a backend, or the same anew, begins without a route. */
void rules_close_routes(void)
{
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy)) {
        for (size_t b = 0; slotd && slotd->feed.answered && b < haproxy->n_backends; b++) {
            struct backend *backend = &haproxy->backends[b];
            bool exists = backend->number != NOBODY && is_told[backend->number];
            bool is_known = backend->number == NOBODY || was_told[backend->number];
            backend->is_opened = backend->is_opened && (exists || is_led_to(backend) || !is_known);
        }
    }
}
