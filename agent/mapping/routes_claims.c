/* SPDX-License-Identifier: MIT */
/* The claims on one host in the order of their keys, and which of them lead where. What one key comes to depends on the
 * claims of that key and of those around it: nothing else is looked at. */
#include <string.h>

#include "routes_private.h"
#include "slotd/mem.h"

/* ---- the claims of a host, in order ---- */

/* Whether a's rule is looked at before b's, as Traefik orders them. */
static bool route_precedes(const struct route *a, const struct route *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    int order = strcmp(a->frontend, b->frontend);
    return order != 0 ? order < 0 : strcmp(a->service, b->service) < 0;
}

static int compare_claims(const void *left, const void *right)
{
    const struct host_claim *a = left;
    const struct host_claim *b = right;
    int order = strcmp(a->path, b->path);
    if (order != 0 || a->exact != b->exact) {
        return order != 0 ? order : (int)a->exact - (int)b->exact;
    }
    return a->route == b->route ? 0 : route_precedes(a->route, b->route) ? -1 : 1;
}

struct route_host *route_host_new(const char *name)
{
    struct route_host *host = MEM_NEW(struct route_host);
    host->name = mem_strdup(name);
    return host;
}

void route_host_free(struct route_host *host)
{
    free(host->claims);
    free(host->name);
    free(host);
}

/* How many of the first n claims come before that one. */
static size_t host_count_before(const struct route_host *host, size_t n, const struct host_claim *claim)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (compare_claims(&host->claims[middle], claim) < 0) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return low;
}

/* Many that have come are merged at once, from the end: each of the others moves once. */
static void host_sort(struct route_host *host)
{
    size_t n_new = host->count - host->n_sorted;
    size_t end = host->n_sorted;
    if (n_new == 0) {
        return;
    }
    cleanup_free struct host_claim *fresh = mem_alloc_array(n_new, sizeof(*fresh));
    memcpy(fresh, &host->claims[end], n_new * sizeof(*fresh));
    qsort(fresh, n_new, sizeof(*fresh), compare_claims);
    for (size_t i = n_new; i-- > 0;) {
        size_t place = host_count_before(host, end, &fresh[i]);
        memmove(&host->claims[place + i + 1], &host->claims[place], (end - place) * sizeof(*fresh));
        host->claims[place + i] = fresh[i];
        end = place;
    }
    host->n_sorted = host->count;
}

void route_host_add(struct route_host *host, struct host_claim claim)
{
    MEM_GROW(host->claims, host->capacity, host->count + 1);
    host->claims[host->count++] = claim;
}

void route_host_remove(struct route_host *host, struct host_claim claim)
{
    host_sort(host);
    size_t place = host_count_before(host, host->count, &claim);
    host->n_sorted = --host->count;
    memmove(&host->claims[place], &host->claims[place + 1], (host->count - place) * sizeof(claim));
}

/* ---- those that a path is about ---- */

/* How many claims come before the paths that begin with the first len bytes of path; with `behind`, before those that
 * are longer than that. */
static size_t host_find_path(const struct route_host *host, const char *path, size_t len, bool behind)
{
    size_t low = 0;
    for (size_t high = host->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        const char *at = host->claims[middle].path;
        int order = strncmp(at, path, len);
        if (order < 0 || (order == 0 && behind && at[len] == '\0')) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t common_length(const char *a, const char *b)
{
    size_t len = 0;
    while (a[len] && a[len] == b[len]) {
        len++;
    }
    return len;
}

/* Claims as they are given out, while they are gathered. */
struct gathered {
    const struct route_host *host;
    const struct routes_judge *judge;
    struct route_claim *claims;
    size_t count, capacity;
};

static void gather(struct gathered *gathered, const struct host_claim *claim)
{
    const struct routes_judge *judge = gathered->judge;
    if (judge->counts && !judge->counts(judge->arg, claim->route->service)) {
        return;
    }
    MEM_GROW(gathered->claims, gathered->capacity, gathered->count + 1);
    gathered->claims[gathered->count++] = (struct route_claim){
        .key = mem_printf("%s%s", gathered->host->name, claim->path), .exact = claim->exact, .route = claim->route};
}

/* The prefixes around path, outermost first; `at`: how many claims come before the path. Between one of them and the
 * next there may be many others: they are leapt over. */
static void gather_around(struct gathered *gathered, const char *path, size_t at)
{
    const struct route_host *host = gathered->host;
    size_t *around = NULL;
    size_t count = 0;
    size_t capacity = 0;
    while (at > 0) {
        const struct host_claim *claim = &host->claims[at - 1];
        size_t common = common_length(claim->path, path);
        if (claim->path[common]) {
            at = host_find_path(host, path, common, true);
            continue;
        }
        at--;
        if (!claim->exact) {
            MEM_GROW(around, capacity, count + 1);
            around[count++] = at;
        }
    }
    while (count > 0) {
        gather(gathered, &host->claims[around[--count]]);
    }
    free(around);
}

/* ---- which of them lead where ---- */

/* How many from claims on have the first one's key. */
static size_t claims_count_equal(const struct route_claim *claims, size_t count)
{
    size_t equal = 1;
    while (equal < count && claims[equal].exact == claims->exact && strcmp(claims[equal].key, claims->key) == 0) {
        equal++;
    }
    return equal;
}

static bool claim_is_at(const struct route_claim *claim, enum access_point point)
{
    return (claim->route->points & (1U << point)) != 0;
}

/* Of those with one key, at that entry point: the first, or the holder where it has the first one's priority. */
static const struct route *claims_choose(const struct route_claim *claims, size_t count,
                                         const struct routes_judge *judge, enum access_point point)
{
    const char *holder =
        count > 1 && judge->holder ? judge->holder(judge->arg, claims->key, claims->exact, point) : NULL;
    const struct route *first = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct route *route = claims[i].route;
        if (!claim_is_at(&claims[i], point) || (first && route->priority != first->priority)) {
            continue;
        }
        if (holder && strcmp(route->service, holder) == 0) {
            return route;
        }
        first = first ? first : route;
    }
    return first;
}

/* The prefixes around the key that is looked at, outermost first. */
struct around {
    const char *key;
    /* Of it and those around it: the one that is looked at before the others. */
    const struct route *first[ACCESS_POINTS];
};

static void claims_tell(struct route_claim *claims, size_t count, const struct around *key)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            claims[i].leads_to[p] = key->first[p];
            bool loses = claim_is_at(&claims[i], (enum access_point)p) && key->first[p] != claims[i].route;
            claims[i].loses_to = claims[i].loses_to || !loses ? claims[i].loses_to : key->first[p];
        }
    }
}

static void claims_judge(struct route_claim *claims, size_t count, const struct routes_judge *judge,
                         struct around *stack)
{
    size_t depth = 0;
    for (size_t i = 0; i < count;) {
        size_t equal = claims_count_equal(&claims[i], count - i);
        struct around key = {.key = claims[i].key};
        while (depth > 0 && strncmp(claims[i].key, stack[depth - 1].key, strlen(stack[depth - 1].key)) != 0) {
            depth--;
        }
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            const struct route *winner = claims_choose(&claims[i], equal, judge, (enum access_point)p);
            const struct route *around = depth > 0 ? stack[depth - 1].first[p] : NULL;
            key.first[p] = !winner || (around && route_precedes(around, winner)) ? around : winner;
        }
        claims_tell(&claims[i], equal, &key);
        if (!claims[i].exact) {
            stack[depth++] = key;
        }
        i += equal;
    }
}

bool route_claim_holds(const struct route_claim *claim)
{
    bool holds = false;
    for (size_t p = 0; p < ACCESS_POINTS; p++) {
        holds = holds || claim->leads_to[p] == claim->route;
    }
    return holds;
}

struct route_claim *routes_find_claims(const struct routes *routes, const char *host, const char *within,
                                       const struct routes_judge *judge, size_t *ret_count)
{
    struct route_host *found = table_get(&routes->hosts, host);
    struct gathered gathered = {.host = found, .judge = judge};
    size_t len = strlen(within);
    *ret_count = 0;
    if (!found) {
        return NULL;
    }
    host_sort(found);
    size_t first = host_find_path(found, within, len, false);
    gather_around(&gathered, within, first);
    size_t n_around = gathered.count;
    for (size_t i = first; i < found->count && strncmp(found->claims[i].path, within, len) == 0; i++) {
        gather(&gathered, &found->claims[i]);
    }
    struct around *stack = mem_alloc_array(gathered.count, sizeof(*stack));
    claims_judge(gathered.claims, gathered.count, judge, stack);
    free(stack);
    for (size_t i = 0; i < n_around; i++) {
        free((char *)(uintptr_t)gathered.claims[i].key);
    }
    *ret_count = gathered.count - n_around;
    if (n_around > 0) {
        memmove(gathered.claims, &gathered.claims[n_around], *ret_count * sizeof(*gathered.claims));
    }
    return gathered.claims;
}

void routes_free_claims(struct route_claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)claims[i].key);
    }
    free(claims);
}
