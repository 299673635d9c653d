/* SPDX-License-Identifier: MIT */
/* What the guard holds, said in the log: somebody has to decide, and should know what and how. */
#include "engine_private.h"
#include "slotd/log.h"
#include "slotd/text.h"

#define GUARD_MAX_NAMES 5

size_t engine_count_held(const struct engine *engine)
{
    size_t held = cluster_held(engine->feed.cluster);
    for (size_t i = 0; i < engine->n_edges; i++) {
        held += engine->edges[i]->orphans_held;
    }
    return held;
}

static void guard_describe(const struct engine *engine, struct buf *text)
{
    const char *ids[GUARD_MAX_NAMES];
    const char *separator = "";
    size_t count = cluster_list_held(engine->feed.cluster, ids, GUARD_MAX_NAMES);
    for (size_t i = 0; i < count && i < GUARD_MAX_NAMES; i++) {
        buf_printf(text, "%s%s", i ? ", " : "tasks of ", ids[i]);
        separator = "; ";
    }
    if (count > GUARD_MAX_NAMES) {
        buf_printf(text, " and %zu more %s", count - GUARD_MAX_NAMES,
                   text_plural(count - GUARD_MAX_NAMES, "app", "apps"));
    }
    for (size_t i = 0; i < engine->n_edges; i++) {
        if (engine->edges[i]->orphans_held > 0) {
            size_t n_slots = engine->edges[i]->orphans_held;
            buf_printf(text, "%s%zu %s of HAProxy %s that no task claims", separator, n_slots,
                       text_plural(n_slots, "slot", "slots"), engine->edges[i]->config->name);
            separator = "; ";
        }
    }
}

void engine_note_guard(struct engine *engine)
{
    size_t held = engine_count_held(engine);
    if (held == engine->held_told) {
        return;
    }
    cleanup_buf struct buf text = BUF_INIT;
    engine->times_held += engine->held_told == 0;
    engine->held_told = held;
    if (held == 0) {
        log_notice("guard", "nothing is held any more");
        return;
    }
    guard_describe(engine, &text);
    log_warning(
        "guard",
        "the removal of %zu %s is held, since too much is missing at once: %s. %s on. If %s really gone: slotctl "
        "confirm",
        held, text_plural(held, "endpoint", "endpoints"), buf_text(&text), text_plural(held, "It serves", "They serve"),
        text_plural(held, "it is", "they are"));
}
