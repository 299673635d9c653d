/* SPDX-License-Identifier: MIT */
/* Slots on a model HAProxy: what is wanted and what is sent, both as text. */
#ifndef SLOTD_TESTS_UNIT_SLOTS_FIXTURE_H
#define SLOTD_TESTS_UNIT_SLOTS_FIXTURE_H

#include "model.h"
#include "slotd/mem.h"
#include "suite.h"

static struct model model;
static struct slots *slots;
static struct buf text;

static inline void start(size_t count, bool is_late)
{
    slots_free(slots);
    model_init(&model, count, is_late);
    slots = slots_new("web");
    model_show(&model, slots, true);
}

static inline void setup(void)
{
    start(4, false);
}

static inline void teardown(void)
{
    slots_free(slots);
    slots = NULL;
    buf_free(&text);
}

/* Endpoints as "KEY PORT [WORD...]" separated by commas: words are drain, operator, over, gone, kept, unresolved, wN
 * for the weight. */
static inline void want(const char *description)
{
    struct slot_endpoint endpoints[MODEL_SLOTS] = {0};
    static char keys[MODEL_SLOTS][16];
    cleanup_free char *copy = mem_strdup(description);
    char *rest = copy;
    size_t count = 0;
    for (char *part = strsep(&rest, ","); part && part[0]; part = strsep(&rest, ",")) {
        struct slot_endpoint *endpoint = &endpoints[count];
        unsigned port = 0;
        unsigned weight = 1;
        ck_assert_int_eq(sscanf(part, "%15s %u", keys[count], &port), 2);
        const char *labelled = strstr(part, " w");
        if (labelled) {
            sscanf(labelled, " w%u", &weight);
        }
        *endpoint = (struct slot_endpoint){
            .key = keys[count],
            .address = strstr(part, "unresolved") ? NULL : "10.0.0.1",
            .port = (uint16_t)port,
            .weight = (uint16_t)weight,
            .drain = strstr(part, "drain") != NULL,
            .operator_drain = strstr(part, "operator") != NULL,
            .gone = strstr(part, "gone") != NULL,
            .kept_only = strstr(part, "kept") != NULL,
            .operator_maint = strstr(part, "over") != NULL,
        };
        count++;
    }
    /* No list at all is what the engine has for a backend that nobody wants. */
    slots_set_desired(slots, count > 0 ? endpoints : NULL, count);
}

static inline const char *run(void)
{
    buf_clear(&text);
    model_run(&model, slots, &text);
    return buf_text(&text);
}

/* All slots have that many sessions. */
static inline void all_sessions_are(int64_t sessions)
{
    struct slot_sessions rows[MODEL_SLOTS];
    for (size_t i = 0; i < model.count; i++) {
        rows[i] = (struct slot_sessions){model.names[i], sessions};
    }
    slots_take_sessions(slots, rows, model.count);
}

#define RUNS(commands) ck_assert_str_eq(run(), commands)

#endif
