/* SPDX-License-Identifier: MIT */
/* The parts of all apps, joined into services by name; only what differs is reported as changed. */
#include <string.h>

#include "services_private.h"
#include "slotd/mem.h"

static const char code_mode_conflict[] = "mode-conflict";
static const char code_class_conflict[] = "class-conflict";
static const char code_healthcheck_clash[] = "healthcheck-clash";
static const char code_tcp_clash[] = "tcp-clash";
static const char code_access_clash[] = "access-clash";

struct services *services_new(uint64_t seed)
{
    struct services *services = MEM_NEW(struct services);
    services->last_changed = &services->first_changed;
    table_init(&services->apps, seed);
    table_init(&services->by_name, seed);
    table_init(&services->backends, seed);
    return services;
}

static void entry_free(struct entry *entry)
{
    if (entry) {
        free(entry->parts);
        problem_list_free(&entry->conflicts);
        access_free(&entry->access);
        free(entry->backend);
        free(entry->wanted);
        free(entry->name);
        free(entry);
    }
}

void services_free(struct services *services)
{
    if (!services) {
        return;
    }
    struct table_entry *slot;
    for (size_t position = 0; (slot = table_next(&services->by_name, &position));) {
        entry_free(slot->value);
    }
    for (size_t position = 0; (slot = table_next(&services->apps, &position));) {
        app_mapping_free(slot->value);
    }
    entry_free(services->returned);
    free(services->unnamed);
    table_free(&services->apps);
    table_free(&services->by_name);
    table_free(&services->backends);
    free(services);
}

/* ---- one service ---- */

static void services_mark_changed(struct services *services, struct entry *entry)
{
    if (entry->changed) {
        return;
    }
    entry->changed = true;
    entry->next_changed = NULL;
    *services->last_changed = entry;
    services->last_changed = &entry->next_changed;
}

static struct entry *services_ensure(struct services *services, const struct service_part *part)
{
    struct entry *entry = table_get(&services->by_name, part->name);
    if (!entry) {
        entry = MEM_NEW(struct entry);
        entry->access = access_open();
        entry->name = mem_strdup(part->name);
        entry->wanted = mem_strdup(part->backend);
        table_put(&services->by_name, entry->name, entry);
        MEM_GROW(services->unnamed, services->unnamed_capacity, services->n_unnamed + 1);
        services->unnamed[services->n_unnamed++] = entry;
    }
    return entry;
}

/* App ids decide whose rule counts; within one app the segments' order. */
static int compare_parts(const struct service_part *a, const struct service_part *b)
{
    int order = strcmp(a->app, b->app);
    return order != 0 ? order : strcmp(a->segment, b->segment);
}

static void entry_insert(struct entry *entry, const struct service_part *part)
{
    MEM_GROW(entry->parts, entry->capacity, entry->n_parts + 1);
    size_t place = entry->n_parts;
    while (place > 0 && compare_parts(entry->parts[place - 1], part) > 0) {
        entry->parts[place] = entry->parts[place - 1];
        place--;
    }
    entry->parts[place] = part;
    entry->n_parts++;
    entry->unjudged = true;
}

static void entry_remove(struct entry *entry, const struct service_part *part)
{
    size_t place = 0;
    while (place < entry->n_parts && entry->parts[place] != part) {
        place++;
    }
    if (place < entry->n_parts) {
        entry->n_parts--;
        memmove(&entry->parts[place], &entry->parts[place + 1],
                (entry->n_parts - place) * sizeof(struct service_part *));
        entry->unjudged = true;
    }
}

static struct service_check entry_find_check(const struct entry *entry)
{
    struct service_check check = {0};
    for (size_t i = 0; i < entry->n_parts; i++) {
        healthcheck_complete(&check, &entry->parts[i]->check);
    }
    return check;
}

static void entry_find_check_clashes(struct entry *entry)
{
    struct service_check check = entry_find_check(entry);
    for (size_t i = 1; i < entry->n_parts; i++) {
        const struct service_part *part = entry->parts[i];
        const char *label = healthcheck_find_clash(&check, &part->check);
        if (label) {
            problem_list_add(&entry->conflicts, part->app, NULL, part->segment, code_healthcheck_clash,
                             "its label backend.healthcheck.%s is not that of an earlier app in the service %s, and a "
                             "backend has one check; that of the first app by id stays",
                             label, entry->name);
        }
    }
}

static bool entry_is_tcp(const struct entry *entry)
{
    const struct service_part *first = entry->n_parts > 0 ? entry->parts[0] : NULL;
    return first && strcmp(first->mode, "tcp") == 0;
}

static struct service_tcp entry_find_tcp(const struct entry *entry)
{
    struct service_tcp tcp = {0};
    for (size_t i = 0; entry_is_tcp(entry) && i < entry->n_parts; i++) {
        tcp_complete(&tcp, &entry->parts[i]->tcp);
    }
    return tcp;
}

static void entry_find_tcp_clashes(struct entry *entry)
{
    struct service_tcp tcp = entry_find_tcp(entry);
    for (size_t i = 1; entry_is_tcp(entry) && i < entry->n_parts; i++) {
        const struct service_part *part = entry->parts[i];
        const char *label = tcp_find_clash(&tcp, &part->tcp);
        if (label) {
            problem_list_add(&entry->conflicts, part->app, NULL, part->segment, code_tcp_clash,
                             "its label %s is not that of an earlier app in the service %s; that of the first app by "
                             "id stays",
                             label, entry->name);
        }
    }
}

/* Whoever shares a service shares its routes: what protects one app's endpoints holds for all of them. */
static void entry_join_access(struct entry *entry)
{
    access_free(&entry->access);
    for (size_t i = 0; i < entry->n_parts; i++) {
        if (i == 0) {
            entry->access = access_copy(&entry->parts[0]->access);
        } else {
            access_join(&entry->access, &entry->parts[i]->access);
        }
    }
    for (size_t i = 0; i < entry->n_parts; i++) {
        const struct service_part *part = entry->parts[i];
        const char *label = access_find_clash(&entry->access, &part->access);
        if (label) {
            problem_list_add(&entry->conflicts, part->app, NULL, part->segment, code_access_clash,
                             "its labels %s are not those of the other apps in the service %s: only what the labels of "
                             "all of them allow is served, and the first app's redirect counts",
                             label, entry->name);
        }
    }
}

/* A service has one mode and one class, those of its first part. */
static void entry_find_conflicts(struct entry *entry)
{
    problem_list_free(&entry->conflicts);
    entry_join_access(entry);
    entry_find_check_clashes(entry);
    entry_find_tcp_clashes(entry);
    for (size_t i = 1; i < entry->n_parts; i++) {
        const struct service_part *first = entry->parts[0];
        const struct service_part *part = entry->parts[i];
        if (strcmp(part->mode, first->mode) != 0) {
            problem_list_add(
                &entry->conflicts, part->app, NULL, part->segment, code_mode_conflict,
                "its protocol asks for mode %s, but the service %s has mode %s from the app %s; that stays", part->mode,
                entry->name, first->mode, first->app);
        } else if (strcmp(part->class, first->class) != 0) {
            problem_list_add(&entry->conflicts, part->app, NULL, part->segment, code_class_conflict,
                             "its labels ask for a backend of the class %s, but the service %s has %s from the app %s; "
                             "that stays",
                             part->class, entry->name, first->class, first->app);
        }
    }
}

static const struct service *entry_show(struct entry *entry)
{
    const struct service_part *first = entry->n_parts > 0 ? entry->parts[0] : NULL;
    entry->service = (struct service){
        .name = entry->name,
        .backend = entry->backend,
        .frontend = first ? first->frontend : "",
        .rule = first ? first->rule : "",
        .mode = first ? first->mode : "http",
        .class = first ? first->class : "http",
        .access = &entry->access,
        .check = entry_find_check(entry),
        .tcp = entry_find_tcp(entry),
        .parts = entry->parts,
        .n_parts = entry->n_parts,
        .gone = entry->n_parts == 0,
    };
    return &entry->service;
}

/* ---- apps come and go ---- */

static const struct service_part *find_equal_part(const struct app_mapping *mapping, const struct service_part *part)
{
    for (size_t i = 0; mapping && i < mapping->n_parts; i++) {
        if (service_part_equal(&mapping->parts[i], part)) {
            return &mapping->parts[i];
        }
    }
    return NULL;
}

/* Each service once: all parts of an app may be of one. */
static void services_find_conflicts(struct services *services, const struct app_mapping *mapping)
{
    for (size_t i = 0; mapping && i < mapping->n_parts; i++) {
        struct entry *entry = table_get(&services->by_name, mapping->parts[i].name);
        if (entry->unjudged) {
            entry_find_conflicts(entry);
            entry->unjudged = false;
        }
    }
}

/* Takes the old parts out, puts the new ones in; a part that is the same on both sides changes nothing. */
static void services_replace(struct services *services, const struct app_mapping *old, const struct app_mapping *fresh)
{
    for (size_t i = 0; old && i < old->n_parts; i++) {
        struct entry *entry = table_get(&services->by_name, old->parts[i].name);
        entry_remove(entry, &old->parts[i]);
        if (!find_equal_part(fresh, &old->parts[i])) {
            services_mark_changed(services, entry);
        }
    }
    for (size_t i = 0; fresh && i < fresh->n_parts; i++) {
        struct entry *entry = services_ensure(services, &fresh->parts[i]);
        entry_insert(entry, &fresh->parts[i]);
        if (!find_equal_part(old, &fresh->parts[i])) {
            services_mark_changed(services, entry);
        }
    }
    services_find_conflicts(services, old);
    services_find_conflicts(services, fresh);
}

void services_set_app(struct services *services, struct app_mapping *mapping)
{
    struct app_mapping *old = table_get(&services->apps, mapping->app);
    if (old && app_mapping_equal(old, mapping)) {
        app_mapping_free(mapping);
        return;
    }
    services_replace(services, old, mapping);
    table_put(&services->apps, mapping->app, mapping);
    app_mapping_free(old);
}

void services_remove_app(struct services *services, const char *app)
{
    struct app_mapping *old = table_remove(&services->apps, app);
    if (old) {
        services_replace(services, old, NULL);
        app_mapping_free(old);
    }
}

/* ---- reading ---- */

const struct service *services_next_changed(struct services *services)
{
    struct entry *entry = services->first_changed;
    services_name_backends(services);
    entry_free(services->returned);
    services->returned = NULL;
    if (!entry) {
        return NULL;
    }
    services->first_changed = entry->next_changed;
    if (!services->first_changed) {
        services->last_changed = &services->first_changed;
    }
    entry->changed = false;
    if (entry->n_parts == 0) {
        table_remove(&services->by_name, entry->name);
        table_remove(&services->backends, entry->backend);
        services->returned = entry;
    }
    return entry_show(entry);
}

const struct service *services_get(const struct services *services, const char *name)
{
    services_name_backends(services);
    struct entry *entry = table_get(&services->by_name, name);
    return entry && entry->n_parts > 0 ? entry_show(entry) : NULL;
}

const struct service *services_get_backend(const struct services *services, const char *backend)
{
    services_name_backends(services);
    struct entry *entry = table_get(&services->backends, backend);
    return entry && entry->n_parts > 0 ? entry_show(entry) : NULL;
}

const struct app_mapping *services_get_app(const struct services *services, const char *app)
{
    return table_get(&services->apps, app);
}

const struct service *services_next(const struct services *services, size_t *position)
{
    struct table_entry *slot;
    services_name_backends(services);
    while ((slot = table_next(&services->by_name, position))) {
        struct entry *entry = slot->value;
        if (entry->n_parts > 0) {
            return entry_show(entry);
        }
    }
    return NULL;
}

static int compare_services(const void *a, const void *b)
{
    return strcmp((*(const struct service *const *)a)->name, (*(const struct service *const *)b)->name);
}

const struct service **services_list(const struct services *services, size_t *ret_count)
{
    const struct service **list = mem_alloc_array(services->by_name.count, sizeof(struct service *));
    size_t count = 0;
    size_t position = 0;
    const struct service *service;
    while ((service = services_next(services, &position))) {
        list[count++] = service;
    }
    qsort(list, count, sizeof(*list), compare_services);
    *ret_count = count;
    return list;
}

static bool is_conflict(const struct problem *problem)
{
    return problem->code == code_mode_conflict || problem->code == code_class_conflict ||
           problem->code == code_healthcheck_clash || problem->code == code_tcp_clash ||
           problem->code == code_access_clash;
}

static int compare_problems(const void *a, const void *b)
{
    const struct problem *left = *(const struct problem *const *)a;
    const struct problem *right = *(const struct problem *const *)b;
    bool left_last = is_conflict(left);
    bool right_last = is_conflict(right);
    int order = strcmp(left->app, right->app);
    order = order != 0 ? order : left_last - right_last;
    order = order != 0 || !left_last ? order : strcmp(left->segment, right->segment);
    /* What the mapping of one app found stands in one array, in the order it was found. */
    return order != 0 ? order : left < right ? -1 : left > right;
}

struct problem_pointers {
    const struct problem **items;
    size_t count, capacity;
};

static void visit_list(const struct problem_list *list, services_problem *visit, void *arg)
{
    for (size_t i = 0; i < list->count; i++) {
        visit(arg, &list->items[i]);
    }
}

void services_visit_problems(const struct services *services, services_problem *visit, void *arg)
{
    struct table_entry *slot;
    for (size_t position = 0; (slot = table_next(&services->apps, &position));) {
        visit_list(&((const struct app_mapping *)slot->value)->problems, visit, arg);
    }
    for (size_t position = 0; (slot = table_next(&services->by_name, &position));) {
        visit_list(&((const struct entry *)slot->value)->conflicts, visit, arg);
    }
}

static void collect_problem(void *arg, const struct problem *problem)
{
    struct problem_pointers *all = arg;
    MEM_GROW(all->items, all->capacity, all->count + 1);
    all->items[all->count++] = problem;
}

const struct problem **services_list_problems(const struct services *services, size_t *ret_count)
{
    struct problem_pointers all = {0};
    MEM_GROW(all.items, all.capacity, 1);
    services_visit_problems(services, collect_problem, &all);
    qsort(all.items, all.count, sizeof(*all.items), compare_problems);
    *ret_count = all.count;
    return all.items;
}

size_t services_count(const struct services *services)
{
    return services->by_name.count;
}
