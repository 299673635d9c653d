/* SPDX-License-Identifier: MIT */
/* Slots that serve and that no task claims: they stay until answers have confirmed it, and the guard may hold them. */
#include "engine_private.h"
#include "slotd/log.h"

/* By how many ready endpoints the backend would shrink when its orphans go. */
static size_t backend_shrinks_by(const struct slots_counts *counts, size_t *ret_ready)
{
    size_t arriving = counts->assigning + counts->waiting;
    *ret_ready += counts->ready + counts->orphans;
    return counts->orphans > arriving ? counts->orphans - arriving : 0;
}

static bool edge_orphans_are_guarded(const struct edge *edge)
{
    size_t shrinks = 0;
    size_t ready = 0;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        struct slots_counts counts = slots_count_states(((struct edge_backend *)entry->value)->slots);
        shrinks += backend_shrinks_by(&counts, &ready);
    }
    if (shrinks > 0 && cluster_count(edge->engine->feed.cluster).running == 0) {
        return true;
    }
    return ready >= 8 && shrinks * 100 > ready * (size_t)edge->engine->config->slots.max_removal_percent;
}

bool edge_judge_orphans(struct edge *edge, bool force)
{
    if (!edge->adopted) {
        return false;
    }
    force = force || edge->confirmed;
    edge->confirmed = false;
    edge->orphan_confirmations++;
    bool confirmed = force || edge->orphan_confirmations >= (unsigned)edge->engine->config->slots.missing_confirmations;
    bool guarded = !force && edge_orphans_are_guarded(edge);
    edge->orphans_held = 0;
    bool some_wait = false;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        struct edge_backend *backend = entry->value;
        struct slots_counts counts = slots_count_states(backend->slots);
        size_t unused = 0;
        if (counts.orphans == 0) {
            continue;
        }
        /* An endpoint whose address is not known yet may be the very one that sits in the orphan; another answer would
         * not tell. */
        if (!confirmed || (counts.unresolved > 0 && !force)) {
            some_wait = some_wait || !confirmed;
        } else if (guarded && counts.waiting == 0 && backend_shrinks_by(&counts, &unused) > 0) {
            edge->orphans_held += counts.orphans;
        } else {
            size_t released = slots_release_orphans(backend->slots);
            log_notice("haproxy", "%s: backend %s: %zu slots are claimed by no task and leave", edge->config->name,
                       backend->name, released);
            edge_mark_dirty(backend);
        }
    }
    return some_wait;
}
