/* SPDX-License-Identifier: MIT */
/* The table that changes, its views, and the decision. */
#include "slotd/route_table.h"

#include <string.h>

#include "route_private.h"
#include "slotd/mem.h"
#include "slotd/table.h"

struct route_table {
    struct table services; /* to struct route_rule, each with a reference */
    uint64_t seed;
    struct route_item *hosts;    /* a trie */
    struct route_list *anywhere; /* rules without a matcher Host */
};

struct route_view {
    uint64_t seed;
    struct route_item *hosts;
    struct route_list *anywhere;
};

/* ---- rules ---- */

static struct route_rule *rule_new(const struct route_entry *entry, struct route_compiled *compiled)
{
    struct route_rule *rule = MEM_NEW(struct route_rule);
    rule->refs = 1;
    rule->entry = *entry;
    rule->entry.service = mem_strdup(entry->service);
    rule->entry.frontend = mem_strdup(entry->frontend);
    rule->entry.backend = mem_strdup(entry->backend);
    rule->entry.rule = mem_strdup(entry->rule);
    rule->access = entry->access ? access_copy(entry->access) : access_open();
    rule->entry.access = &rule->access;
    rule->compiled = compiled;
    return rule;
}

void route_rule_drop(struct route_rule *rule)
{
    if (!rule || --rule->refs > 0) {
        return;
    }
    free((char *)(uintptr_t)rule->entry.service);
    free((char *)(uintptr_t)rule->entry.frontend);
    free((char *)(uintptr_t)rule->entry.backend);
    free((char *)(uintptr_t)rule->entry.rule);
    access_free(&rule->access);
    route_compiled_drop(rule->compiled);
    free(rule);
}

/* ---- the table ---- */

struct route_table *route_table_new(uint64_t seed)
{
    struct route_table *table = MEM_NEW(struct route_table);
    table_init(&table->services, seed);
    table->seed = seed;
    return table;
}

void route_table_free(struct route_table *table)
{
    struct table_entry *slot;
    if (!table) {
        return;
    }
    for (size_t position = 0; (slot = table_next(&table->services, &position));) {
        route_rule_drop(slot->value);
    }
    table_free(&table->services);
    route_item_drop(table->hosts);
    route_item_drop(table->anywhere ? &table->anywhere->item : NULL);
    free(table);
}

static uint64_t hash_host(uint64_t seed, const char *host)
{
    return table_hash(seed, host, strlen(host));
}

/* Takes the new list over, and drops the old one. */
static void table_set_anywhere(struct route_table *table, struct route_list *list)
{
    route_item_drop(table->anywhere ? &table->anywhere->item : NULL);
    table->anywhere = list;
}

static void table_link(struct route_table *table, struct route_rule *rule)
{
    const struct route_compiled *compiled = rule->compiled;
    if (compiled->n_hosts == 0) {
        table_set_anywhere(table, route_list_add(table->anywhere, 0, NULL, rule));
    }
    for (size_t i = 0; i < compiled->n_hosts; i++) {
        table->hosts =
            route_trie_add(table->hosts, hash_host(table->seed, compiled->hosts[i]), compiled->hosts[i], rule);
    }
}

static void table_unlink(struct route_table *table, const struct route_rule *rule)
{
    const struct route_compiled *compiled = rule->compiled;
    if (compiled->n_hosts == 0) {
        table_set_anywhere(table, route_list_remove(table->anywhere, rule));
    }
    for (size_t i = 0; i < compiled->n_hosts; i++) {
        table->hosts = route_trie_remove(table->hosts, hash_host(table->seed, compiled->hosts[i]), rule);
    }
}

void route_table_remove(struct route_table *table, const char *service)
{
    struct route_rule *rule = table_remove(&table->services, service);
    if (rule) {
        table_unlink(table, rule);
        route_rule_drop(rule);
    }
}

int route_table_set(struct route_table *table, const struct route_entry *entry, struct buf *why)
{
    struct route_rule *old = table_get(&table->services, entry->service);
    struct route_compiled *compiled = NULL;
    if (old && strcmp(old->entry.rule, entry->rule) == 0) {
        compiled = old->compiled;
        compiled->refs++;
        buf_puts(why, compiled->told);
    } else {
        int err = route_compile(entry->rule, &compiled, why);
        if (err) {
            route_table_remove(table, entry->service);
            return err;
        }
    }
    struct route_rule *rule = rule_new(entry, compiled);
    route_table_remove(table, entry->service);
    table_put(&table->services, rule->entry.service, rule);
    table_link(table, rule);
    return 0;
}

const struct route_entry *route_table_get(const struct route_table *table, const char *service)
{
    const struct route_rule *rule = table_get(&table->services, service);
    return rule ? &rule->entry : NULL;
}

const char *const *route_table_hosts(const struct route_table *table, const char *service, size_t *ret_count)
{
    const struct route_rule *rule = table_get(&table->services, service);
    *ret_count = rule ? rule->compiled->n_hosts : 0;
    return rule ? (const char *const *)rule->compiled->hosts : NULL;
}

size_t route_table_count(const struct route_table *table)
{
    return table->services.count;
}

size_t route_table_count_hostless(const struct route_table *table)
{
    return table->anywhere ? table->anywhere->count : 0;
}

/* ---- views ---- */

struct route_view *route_table_view(struct route_table *table)
{
    struct route_view *view = MEM_NEW(struct route_view);
    *view = (struct route_view){.seed = table->seed, .hosts = table->hosts, .anywhere = table->anywhere};
    route_item_hold(view->hosts);
    route_item_hold(view->anywhere ? &view->anywhere->item : NULL);
    return view;
}

void route_view_free(void *view)
{
    struct route_view *old = view;
    if (old) {
        route_item_drop(old->hosts);
        route_item_drop(old->anywhere ? &old->anywhere->item : NULL);
        free(old);
    }
}

/* ---- decisions ---- */

/* Two lists as one, in order: the rules that name the host, and those that name none. */
struct candidates {
    const struct route_list *lists[2];
    size_t at[2];
    bool is_known; /* the host is that of the first list */
};

static const struct route_candidate *candidates_peek(const struct candidates *candidates, size_t which)
{
    const struct route_list *list = candidates->lists[which];
    return list && candidates->at[which] < list->count ? &list->candidates[candidates->at[which]] : NULL;
}

/* *ret_named: it is of the first list. */
static const struct route_candidate *candidates_next(struct candidates *candidates, bool *ret_named)
{
    const struct route_candidate *named = candidates_peek(candidates, 0);
    const struct route_candidate *other = candidates_peek(candidates, 1);
    *ret_named = named && (!other || route_rule_precedes(named->rule, other->rule));
    candidates->at[!*ret_named]++;
    return *ret_named ? named : other;
}

static struct candidates candidates_open(const struct route_view *view, struct spop_text host)
{
    struct candidates candidates = {.lists = {NULL, view->anywhere}};
    if (host.len > 0) {
        candidates.lists[0] = route_trie_find(view->hosts, table_hash(view->seed, host.data, host.len));
    }
    const struct route_list *list = candidates.lists[0];
    if (list && list->host) {
        candidates.is_known = list->host_len == host.len && memcmp(list->host, host.data, host.len) == 0;
        candidates.lists[0] = candidates.is_known ? list : NULL;
    }
    return candidates;
}

static void decide_match(const struct route_rule *rule, const struct route_subject *subject,
                         struct route_verdict *verdict)
{
    verdict->entry = &rule->entry;
    verdict->kind = access_is_open(&rule->access) ? ROUTE_VERDICT_SERVE : ROUTE_VERDICT_GUARDED;
    if (subject->turns_slash) {
        route_turn_slash(subject, verdict);
    } else {
        route_rewrite(rule->compiled, subject, verdict);
    }
}

static void tell(route_trace *trace, void *arg, const struct route_rule *rule, bool is_failed, size_t part,
                 const char *why)
{
    if (trace) {
        trace(arg, &rule->entry, is_failed ? &rule->compiled->rule->parts[part] : NULL, part, why);
    }
}

static bool candidate_begins(const struct route_candidate *candidate, struct spop_text path)
{
    return path.len >= candidate->begin_len && memcmp(path.data, candidate->begin, candidate->begin_len) == 0;
}

static enum route_match candidate_match(const struct route_candidate *candidate, struct route_subject *subject,
                                        bool is_known, size_t *ret_part)
{
    const struct route_compiled *compiled = candidate->rule->compiled;
    if (!candidate_begins(candidate, subject->mended)) {
        *ret_part = compiled->begin_part;
        return ROUTE_NO;
    }
    return route_rule_match(compiled, subject, is_known ? compiled->host_matcher : SIZE_MAX, ret_part);
}

static void decide(const struct route_view *view, struct route_subject *subject, route_trace *trace, void *trace_arg,
                   struct route_verdict *verdict)
{
    struct candidates candidates = candidates_open(view, subject->host);
    const struct route_candidate *candidate;
    bool is_named;
    while ((candidate = candidates_next(&candidates, &is_named))) {
        const struct route_rule *rule = candidate->rule;
        size_t part = 0;
        if (!(candidate->points & (1U << subject->request->point))) {
            tell(trace, trace_arg, rule, false, 0, "it is for other entry points");
            continue;
        }
        enum route_match found = candidate_match(candidate, subject, is_named && candidates.is_known, &part);
        if (found == ROUTE_NO) {
            tell(trace, trace_arg, rule, true, part, NULL);
            continue;
        }
        if (found == ROUTE_FAILED) {
            tell(trace, trace_arg, rule, true, part, "a limit was met");
            verdict->kind = ROUTE_VERDICT_FAILED;
            verdict->entry = &rule->entry;
            verdict->why = "a limit was met when a rule was tried";
            return;
        }
        tell(trace, trace_arg, rule, false, 0, NULL);
        decide_match(rule, subject, verdict);
        return;
    }
}

void route_view_decide(const struct route_view *view, struct route_scratch *scratch,
                       const struct route_request *request, route_trace *trace, void *trace_arg,
                       struct route_verdict *ret_verdict)
{
    struct route_subject subject;
    *ret_verdict = (struct route_verdict){.kind = ROUTE_VERDICT_NONE, .why = "no rule matches"};
    scratch->slow_runs = 0;
    if (!route_subject_open(request, scratch, &subject, &ret_verdict->kind, &ret_verdict->why)) {
        return;
    }
    ret_verdict->kind = ROUTE_VERDICT_NONE;
    ret_verdict->why = "no rule matches";
    decide(view, &subject, trace, trace_arg, ret_verdict);
}

const char *route_verdict_text(enum route_verdict_kind kind)
{
    static const char *const texts[ROUTE_VERDICT_KINDS] = {
        [ROUTE_VERDICT_NONE] = "none",         [ROUTE_VERDICT_SERVE] = "serve", [ROUTE_VERDICT_GUARDED] = "guarded",
        [ROUTE_VERDICT_REDIRECT] = "redirect", [ROUTE_VERDICT_BAD] = "bad",     [ROUTE_VERDICT_FAILED] = "failed",
    };
    return texts[kind];
}
