/* SPDX-License-Identifier: MIT */
/* Server names of TLS by the apps whose HTTP rules have them. */
#include "slotd/server_names.h"

#include <string.h>

#include "slotd/mem.h"
#include "slotd/table.h"

/* What a service's rule has. */
struct claim {
    char *service, *app;
    char **hosts;
    size_t n_hosts;
};

/* An app's hosts of one name; for a host's own name that is itself, once for each service. */
struct owner {
    char *app;
    const char **hosts; /* of claims */
    size_t count, capacity;
};

struct name {
    char *text;
    struct table owners; /* by app, to struct owner */
};

struct server_names {
    uint64_t seed;
    struct table claims; /* by service */
    struct table names;
};

struct server_names *server_names_new(uint64_t seed)
{
    struct server_names *names = MEM_NEW(struct server_names);
    names->seed = seed;
    table_init(&names->claims, seed);
    table_init(&names->names, seed);
    return names;
}

static void claim_free(struct claim *claim)
{
    for (size_t i = 0; claim && i < claim->n_hosts; i++) {
        free(claim->hosts[i]);
    }
    if (claim) {
        free(claim->hosts);
        free(claim->service);
        free(claim->app);
        free(claim);
    }
}

static void owner_free(struct owner *owner)
{
    free(owner->hosts);
    free(owner->app);
    free(owner);
}

static void name_free(struct name *name)
{
    struct table_entry *entry;
    for (size_t position = 0; (entry = table_next(&name->owners, &position));) {
        owner_free(entry->value);
    }
    table_free(&name->owners);
    free(name->text);
    free(name);
}

void server_names_free(struct server_names *names)
{
    struct table_entry *entry;
    if (!names) {
        return;
    }
    for (size_t position = 0; (entry = table_next(&names->claims, &position));) {
        claim_free(entry->value);
    }
    for (size_t position = 0; (entry = table_next(&names->names, &position));) {
        name_free(entry->value);
    }
    table_free(&names->claims);
    table_free(&names->names);
    free(names);
}

/* ---- one name ---- */

/* "*.example.com" for "web.example.com"; NULL: it has one part alone. The caller frees. */
static char *host_find_wildcard(const char *host)
{
    const char *rest = strchr(host, '.');
    return rest ? mem_printf("*%s", rest) : NULL;
}

static void names_add(struct server_names *names, const char *text, const char *app, const char *host)
{
    struct name *name = table_get(&names->names, text);
    if (!name) {
        name = MEM_NEW(struct name);
        name->text = mem_strdup(text);
        table_init(&name->owners, names->seed);
        table_put(&names->names, name->text, name);
    }
    struct owner *owner = table_get(&name->owners, app);
    if (!owner) {
        owner = MEM_NEW(struct owner);
        owner->app = mem_strdup(app);
        table_put(&name->owners, owner->app, owner);
    }
    MEM_GROW(owner->hosts, owner->capacity, owner->count + 1);
    owner->hosts[owner->count++] = host;
}

static void names_remove(struct server_names *names, const char *text, const char *app, const char *host)
{
    struct name *name = table_get(&names->names, text);
    struct owner *owner = table_get(&name->owners, app);
    for (size_t i = 0; i < owner->count; i++) {
        if (owner->hosts[i] == host) {
            owner->hosts[i] = owner->hosts[--owner->count];
            break;
        }
    }
    if (owner->count == 0) {
        table_remove(&name->owners, app);
        owner_free(owner);
    }
    if (name->owners.count == 0) {
        table_remove(&names->names, text);
        name_free(name);
    }
}

/* ---- changes ---- */

typedef void names_change(struct server_names *names, const char *text, const char *app, const char *host);

static void names_change_all(struct server_names *names, const struct claim *claim, names_change *change)
{
    for (size_t i = 0; claim && i < claim->n_hosts; i++) {
        cleanup_free char *wildcard = host_find_wildcard(claim->hosts[i]);
        change(names, claim->hosts[i], claim->app, claim->hosts[i]);
        if (wildcard) {
            change(names, wildcard, claim->app, claim->hosts[i]);
        }
    }
}

static void claim_tell(const struct claim *claim, server_names_touched *touched, void *arg)
{
    for (size_t i = 0; claim && i < claim->n_hosts; i++) {
        cleanup_free char *wildcard = host_find_wildcard(claim->hosts[i]);
        touched(arg, claim->hosts[i]);
        if (wildcard) {
            touched(arg, wildcard);
        }
    }
}

static struct claim *claim_new(const char *service, const char *app, const char *const *hosts, size_t count)
{
    struct claim *claim = MEM_NEW(struct claim);
    claim->service = mem_strdup(service);
    claim->app = mem_strdup(app);
    claim->hosts = mem_alloc_array(count, sizeof(*claim->hosts));
    for (size_t i = 0; i < count; i++) {
        claim->hosts[claim->n_hosts++] = mem_strdup(hosts[i]);
    }
    return claim;
}

static bool claim_is(const struct claim *claim, const char *app, const char *const *hosts, size_t count)
{
    bool is = claim ? claim->n_hosts == count && strcmp(claim->app, app) == 0 : count == 0;
    for (size_t i = 0; is && i < count; i++) {
        is = strcmp(claim->hosts[i], hosts[i]) == 0;
    }
    return is;
}

void server_names_set(struct server_names *names, const char *service, const char *app, const char *const *hosts,
                      size_t count, server_names_touched *touched, void *arg)
{
    struct claim *old = table_get(&names->claims, service);
    if (claim_is(old, app, hosts, count)) {
        return;
    }
    struct claim *claim = count > 0 ? claim_new(service, app, hosts, count) : NULL;
    names_change_all(names, old, names_remove);
    if (claim) {
        table_put(&names->claims, claim->service, claim);
    } else {
        table_remove(&names->claims, service);
    }
    names_change_all(names, claim, names_add);
    claim_tell(claim, touched, arg);
    claim_tell(old, touched, arg);
    claim_free(old);
}

/* ---- reading ---- */

struct server_name_owner server_names_find_other(const struct server_names *names, const char *name, const char *app)
{
    const struct name *found = table_get(&names->names, name);
    const struct table_entry *entry;
    for (size_t position = 0; found && (entry = table_next(&found->owners, &position));) {
        const struct owner *owner = entry->value;
        if (strcmp(owner->app, app) != 0) {
            return (struct server_name_owner){owner->app, owner->hosts[0]};
        }
    }
    return (struct server_name_owner){NULL, NULL};
}
