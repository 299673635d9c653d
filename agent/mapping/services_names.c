/* SPDX-License-Identifier: MIT */
/* What services' backends are called in HAProxy, whose names are ASCII: two services may look alike there. */
#include <string.h>

#include "services_private.h"
#include "slotd/mem.h"

/* Of several that look alike each gets a name that is its own alone, whoever else is there and in whatever order they
 * came: after a restart no name is another's. Who was there first keeps the plain one until then. */
static char *services_choose_backend(const struct services *services, const struct entry *entry)
{
    bool clashes = entry->clashes || table_get(&services->backends, entry->wanted);
    char *name = clashes ? names_mark(entry->wanted, entry->name) : mem_strdup(entry->wanted);
    for (unsigned i = 2; table_get(&services->backends, name); i++) {
        free(name);
        name = mem_printf("%s-%u", entry->wanted, i);
    }
    return name;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->name, (*(struct entry *const *)b)->name);
}

static void services_find_name_clashes(struct services *services)
{
    struct table wanted;
    table_init(&wanted, services->backends.seed);
    for (size_t i = 0; i < services->n_unnamed; i++) {
        struct entry *entry = services->unnamed[i];
        struct entry *other = table_put(&wanted, entry->wanted, entry);
        if (other) {
            entry->clashes = other->clashes = true;
        }
    }
    table_free(&wanted);
}

/* All that came since the last time together, so that the order of apps in an answer decides nothing. */
void services_name_backends(const struct services *readable)
{
    struct services *services = (struct services *)(uintptr_t)readable;
    if (services->n_unnamed > 1) {
        qsort(services->unnamed, services->n_unnamed, sizeof(struct entry *), compare_entries);
        services_find_name_clashes(services);
    }
    for (size_t i = 0; i < services->n_unnamed; i++) {
        struct entry *entry = services->unnamed[i];
        entry->backend = services_choose_backend(services, entry);
        table_put(&services->backends, entry->backend, entry);
    }
    services->n_unnamed = 0;
}
