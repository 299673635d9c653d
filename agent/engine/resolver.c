/* SPDX-License-Identifier: MIT */
/* Host names to addresses: asynchronous, cached, refreshed. A look-up that fails keeps the address that is known. */
#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include "engine_private.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"

#define RESOLVER_REFRESH_MS 30000
#define RESOLVER_RETRY_MS 5000
#define RESOLVER_TICK_MS 1000
#define RESOLVER_FORGET_MAX 100 /* hosts forgotten in one go */

struct host {
    struct resolver *resolver; /* NULL: the resolver was closed while the look-up ran */
    char *name;
    char address[SLOTS_MAX_ADDRESS]; /* "" while not known */
    struct table users;              /* service name to its own key */
    uint64_t next_ms;                /* loop time of the next look-up */
    bool in_flight;
    bool said; /* its failure has been logged */
    uv_getaddrinfo_t request;
};

struct resolver {
    uv_loop_t *loop;
    struct table hosts;
    resolver_changed *changed;
    resolver_in_use *in_use;
    void *arg;
    uv_timer_t *tick;
    unsigned in_flight;
    char literal[SLOTS_MAX_ADDRESS];
};

static void host_free(struct host *host)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&host->users, &position))) {
        free(entry->value);
    }
    table_free(&host->users);
    free(host->name);
    free(host);
}

/* inet_ntop's form of an IP literal; false when text is none. */
static bool canonical_literal(const char *text, char canonical[SLOTS_MAX_ADDRESS])
{
    unsigned char bytes[sizeof(struct in6_addr)];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(family, text, bytes) == 1 && inet_ntop(family, bytes, canonical, SLOTS_MAX_ADDRESS) != NULL;
}

/* The lowest address, IPv4 before IPv6, so that a rotating answer does not move slots; the present one while it is
 * listed. */
static void choose_address(const struct addrinfo *list, const char *present, char chosen[SLOTS_MAX_ADDRESS])
{
    int chosen_family = 0;
    chosen[0] = '\0';
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        char text[SLOTS_MAX_ADDRESS];
        const void *bytes = info->ai_family == AF_INET
                                ? (const void *)&((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr
                                : (const void *)&((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr;
        if ((info->ai_family != AF_INET && info->ai_family != AF_INET6) ||
            !inet_ntop(info->ai_family, bytes, text, sizeof(text))) {
            continue;
        }
        if (strcmp(text, present) == 0) {
            memcpy(chosen, text, sizeof(text));
            return;
        }
        bool better = chosen[0] == '\0' || (info->ai_family == AF_INET && chosen_family == AF_INET6) ||
                      (info->ai_family == chosen_family && strcmp(text, chosen) < 0);
        if (better) {
            memcpy(chosen, text, sizeof(text));
            chosen_family = info->ai_family;
        }
    }
}

static void host_tell_users(struct host *host)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&host->users, &position))) {
        host->resolver->changed(host->resolver->arg, entry->key);
    }
}

static void resolver_work(struct resolver *resolver);

static void host_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct host *host = request->data;
    struct resolver *resolver = host->resolver;
    char address[SLOTS_MAX_ADDRESS] = "";
    if (!resolver) {
        uv_freeaddrinfo(list);
        host_free(host);
        return;
    }
    host->in_flight = false;
    resolver->in_flight--;
    if (status == 0) {
        choose_address(list, host->address, address);
    }
    uv_freeaddrinfo(list);
    host->next_ms = uv_now(resolver->loop) + (address[0] ? RESOLVER_REFRESH_MS : RESOLVER_RETRY_MS);
    if (!address[0] && !host->said) {
        log_warning("resolver", "%s: no address: %s", host->name, status ? uv_strerror(status) : "the answer has none");
    }
    host->said = !address[0];
    if (address[0] && strcmp(address, host->address) != 0) {
        memcpy(host->address, address, sizeof(address));
        host_tell_users(host);
    }
    resolver_work(resolver);
}

static void host_look_up(struct host *host)
{
    struct resolver *resolver = host->resolver;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    host->request.data = host;
    int err = uv_getaddrinfo(resolver->loop, &host->request, host_looked_up, host->name, NULL, &hints);
    host->next_ms = uv_now(resolver->loop) + RESOLVER_RETRY_MS;
    if (!err) {
        host->in_flight = true;
        resolver->in_flight++;
    }
}

/* Drops the services that no longer have an endpoint there; false when none is left. */
static bool host_is_wanted(struct host *host)
{
    struct table kept;
    table_init(&kept, host->users.seed);
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&host->users, &position))) {
        if (host->resolver->in_use(host->resolver->arg, host->name, entry->key)) {
            table_put(&kept, entry->value, entry->value);
        } else {
            free(entry->value);
        }
    }
    table_free(&host->users);
    host->users = kept;
    return kept.count > 0;
}

/* The one that has been due longest: in the table's order a few names that never answer would keep all others out. */
static struct host *resolver_find_due(const struct resolver *resolver, uint64_t now)
{
    struct host *due = NULL;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&resolver->hosts, &position))) {
        struct host *host = entry->value;
        if (!host->in_flight && host->next_ms <= now && (!due || host->next_ms < due->next_ms)) {
            due = host;
        }
    }
    return due;
}

/* Starts the look-ups that are due, never more than ENGINE_MAX_LOOKUPS at once. */
static void resolver_work(struct resolver *resolver)
{
    uint64_t now = uv_now(resolver->loop);
    for (int forgotten = 0; resolver->in_flight < ENGINE_MAX_LOOKUPS && forgotten < RESOLVER_FORGET_MAX;) {
        struct host *host = resolver_find_due(resolver, now);
        if (!host) {
            break;
        }
        if (host_is_wanted(host)) {
            host_look_up(host);
        } else {
            table_remove(&resolver->hosts, host->name);
            host_free(host);
            forgotten++;
        }
    }
}

static void resolver_tick(uv_timer_t *timer)
{
    resolver_work(timer->data);
}

struct resolver *resolver_new(uv_loop_t *loop, uint64_t seed, resolver_changed *changed, resolver_in_use *in_use,
                              void *arg)
{
    struct resolver *resolver = MEM_NEW(struct resolver);
    resolver->loop = loop;
    resolver->changed = changed;
    resolver->in_use = in_use;
    resolver->arg = arg;
    table_init(&resolver->hosts, seed);
    resolver->tick = MEM_NEW(uv_timer_t);
    uv_timer_init(loop, resolver->tick);
    resolver->tick->data = resolver;
    return resolver;
}

static struct host *resolver_add(struct resolver *resolver, const char *name)
{
    struct host *host = MEM_NEW(struct host);
    host->resolver = resolver;
    host->name = mem_strdup(name);
    host->next_ms = uv_now(resolver->loop);
    table_init(&host->users, resolver->hosts.seed);
    table_put(&resolver->hosts, host->name, host);
    if (!uv_is_active((uv_handle_t *)resolver->tick)) {
        uv_timer_start(resolver->tick, resolver_tick, RESOLVER_TICK_MS, RESOLVER_TICK_MS);
    }
    if (resolver->in_flight < ENGINE_MAX_LOOKUPS) {
        host_look_up(host);
    }
    return host;
}

const char *resolver_get(struct resolver *resolver, const char *name, const char *service)
{
    if (canonical_literal(name, resolver->literal)) {
        return resolver->literal;
    }
    struct host *host = table_get(&resolver->hosts, name);
    if (!host) {
        if (resolver->hosts.count >= ENGINE_MAX_HOSTS) {
            return NULL;
        }
        host = resolver_add(resolver, name);
    }
    if (!table_get(&host->users, service)) {
        char *key = mem_strdup(service);
        table_put(&host->users, key, key);
    }
    return host->address[0] ? host->address : NULL;
}

const char *resolver_peek(const struct resolver *resolver, const char *name, char canonical[SLOTS_MAX_ADDRESS])
{
    if (canonical_literal(name, canonical)) {
        return canonical;
    }
    const struct host *host = table_get(&resolver->hosts, name);
    return host && host->address[0] ? host->address : NULL;
}

void resolver_close(struct resolver *resolver)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&resolver->hosts, &position))) {
        struct host *host = entry->value;
        if (host->in_flight) {
            host->resolver = NULL;
            (void)uv_cancel((uv_req_t *)&host->request);
        } else {
            host_free(host);
        }
    }
    table_free(&resolver->hosts);
    engine_close_handle((uv_handle_t *)resolver->tick);
    free(resolver);
}
