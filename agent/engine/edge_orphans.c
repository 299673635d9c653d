/* SPDX-License-Identifier: MIT */
/* Slots that serve and that no task claims: they stay until answers have confirmed it, and the guard may hold them. */
#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/text.h"

/* By how many ready endpoints the backend is smaller than it was at its adoption, as far as its orphans are the reason:
 * what has come in their place is a replacement, also when it is ready by now. */
static size_t backend_shrinks_by(const struct slots_counts *counts)
{
    size_t shrinks = counts->served > counts->wanted ? counts->served - counts->wanted : 0;
    return shrinks < counts->orphans ? shrinks : counts->orphans;
}

static bool edge_orphans_are_guarded(const struct edge *edge)
{
    size_t shrinks = 0;
    size_t before = 0;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        struct slots_counts counts = slots_count_states(((struct edge_backend *)entry->value)->slots);
        shrinks += backend_shrinks_by(&counts);
        before += counts.served;
    }
    if (shrinks > 0 && cluster_count(edge->engine->feed.cluster).running == 0) {
        return true;
    }
    return before >= 8 && shrinks * 100 > before * (size_t)edge->engine->config->slots.max_removal_percent;
}

static void backend_note_release(struct edge_backend *backend, size_t released, const char *why)
{
    if (released > 0) {
        log_notice("haproxy", "%s: backend %s: %zu %s %s and %s", backend->edge->config->name, backend->name, released,
                   text_plural(released, "slot", "slots"), why, text_plural(released, "leaves", "leave"));
        edge_mark_dirty(backend);
    }
}

/* What the answers replace goes, what they take away is held. */
static void backend_release_orphans(struct edge_backend *backend, const struct slots_counts *counts, bool guarded)
{
    size_t held = guarded ? backend_shrinks_by(counts) : 0;
    backend->edge->orphans_held += held;
    backend_note_release(backend, slots_release_orphans(backend->slots, counts->orphans - held),
                         "are claimed by no task");
}

bool edge_judge_orphans(struct edge *edge, bool force)
{
    if (!edge->adopted) {
        return false;
    }
    bool believed = force || edge->confirmed;
    if (!believed && !edge->engine->feed.tells_absence) {
        return edge_count(edge).orphans > 0;
    }
    edge->confirmed = false;
    edge->orphan_confirmations++;
    bool confirmed =
        believed || edge->orphan_confirmations >= (unsigned)edge->engine->config->slots.missing_confirmations;
    bool guarded = !believed && edge_orphans_are_guarded(edge);
    edge->orphans_held = 0;
    bool some_wait = false;
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        struct edge_backend *backend = entry->value;
        struct slots_counts counts = slots_count_states(backend->slots);
        if (counts.orphans == 0) {
            continue;
        }
        if (!confirmed) {
            some_wait = true;
        } else if (counts.unresolved > 0 && !force) {
            /* An endpoint whose address is not known yet may be the very one that sits in the orphan; another answer
             * would not tell. `--confirm` holds until it is known. */
            edge->confirmed = edge->confirmed || believed;
        } else {
            backend_release_orphans(backend, &counts, guarded);
        }
    }
    return some_wait;
}

bool edge_judge_adopted(struct edge *edge)
{
    size_t position = 0;
    struct table_entry *entry;
    while ((entry = table_next(&edge->backends, &position))) {
        struct edge_backend *backend = entry->value;
        backend_note_release(backend, slots_release_revenants(backend->slots), "had been taken out before");
    }
    edge->orphans_held = 0;
    edge->orphan_confirmations = 0;
    if (!engine_is_confident(edge->engine)) {
        return edge_count(edge).orphans > 0;
    }
    edge->orphan_confirmations = (unsigned)edge->engine->config->slots.missing_confirmations;
    return edge_judge_orphans(edge, false);
}
