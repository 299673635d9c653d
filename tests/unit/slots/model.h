/* SPDX-License-Identifier: MIT */
/* A model of one HAProxy backend: applies planned commands, and dies on what must never happen. */
#ifndef SLOTD_TESTS_UNIT_SLOTS_MODEL_H
#define SLOTD_TESTS_UNIT_SLOTS_MODEL_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "slotd/buf.h"
#include "slotd/slots.h"

#define MODEL_SLOTS 48

struct model {
    size_t count;
    char names[MODEL_SLOTS][24];
    struct slot_observed rows[MODEL_SLOTS];
    struct slot_observed late[MODEL_SLOTS]; /* an address that is applied later (2.9+) */
    bool pending[MODEL_SLOTS];
    bool is_late;
    unsigned shows_after;     /* reads that an address takes to appear, when it is late */
    bool gone[MODEL_SLOTS];   /* deleted: its place is kept */
    bool grows;               /* servers may be added and deleted */
    bool tells_requests;      /* which refer to a server */
    bool checked;             /* and have checks then */
    bool passed[MODEL_SLOTS]; /* a check has passed since it was made ready */
    bool starts_down;         /* init-state down (3.1+) */
    int64_t now_ms;
    size_t least_serving; /* the fewest that served after any command since it was set */
};

static inline bool model_is_carrying(const struct slot_observed *row)
{
    return (row->admin & (SLOT_ADMIN_MAINT | SLOT_ADMIN_DRAIN)) == 0 &&
           (!row->checked || row->op_state == 1 || row->op_state == 2) && row->weight > 0;
}

/* Servers that take new requests. */
static inline size_t model_count_carrying(const struct model *model)
{
    size_t carrying = 0;
    for (size_t i = 0; i < model->count; i++) {
        carrying += !model->gone[i] && model_is_carrying(&model->rows[i]);
    }
    return carrying;
}

static inline size_t model_count_serving(const struct model *model)
{
    size_t serving = 0;
    for (size_t i = 0; i < model->count; i++) {
        serving += !model->gone[i] && (model->rows[i].admin & (SLOT_ADMIN_MAINT | SLOT_ADMIN_DRAIN)) == 0;
    }
    return serving;
}

/* The place of the server of that name, whether it is there or was; MODEL_SLOTS: it never was. */
static inline size_t model_find_place(const struct model *model, const char *server)
{
    size_t place = 0;
    while (place < model->count && strcmp(model->names[place], server) != 0) {
        place++;
    }
    return place < model->count ? place : MODEL_SLOTS;
}

/* What the slots say of the model's server; nothing of one that is not there. */
static inline struct slot_view model_view(const struct model *model, const struct slots *slots, size_t place)
{
    for (size_t i = 0; !model->gone[place] && i < slots_count(slots); i++) {
        struct slot_view view = slots_view(slots, i);
        if (view.state != SLOT_ABSENT && strcmp(view.observed->server, model->names[place]) == 0) {
            return view;
        }
    }
    return (struct slot_view){.observed = &model->rows[place], .state = SLOT_ABSENT};
}

static inline void model_init(struct model *model, size_t count, bool is_late)
{
    memset(model, 0, sizeof(*model));
    model->count = count;
    model->is_late = is_late;
    for (size_t i = 0; i < count; i++) {
        snprintf(model->names[i], sizeof(model->names[i]), "s%zu", i + 1);
        model->rows[i] =
            (struct slot_observed){.server = model->names[i], .address = "0.0.0.0", .port = 1, .weight = 1, .admin = 5};
    }
}

static inline struct slot_observed *model_find(struct model *model, const char *server)
{
    size_t place = model_find_place(model, server);
    if (place == MODEL_SLOTS || model->gone[place]) {
        ck_abort_msg("there is no server %s", server);
    }
    return &model->rows[place];
}

static inline void model_add(struct model *model, const struct slot_command *command)
{
    char name[SLOTS_MAX_ADDED_NAME];
    slots_name_added(command->value, name);
    size_t place = model_find_place(model, name);
    ck_assert_msg(model->grows && command->options, "nobody asked for %s", name);
    ck_assert_str_eq(command->server, name);
    if (place == MODEL_SLOTS) {
        ck_assert_uint_lt(model->count, MODEL_SLOTS);
        place = model->count++;
        snprintf(model->names[place], sizeof(model->names[place]), "%s", name);
    } else {
        ck_assert_msg(model->gone[place], "%s is there already", name);
    }
    model->gone[place] = model->pending[place] = model->passed[place] = false;
    model->rows[place] = (struct slot_observed){.server = model->names[place],
                                                .address = "0.0.0.0",
                                                .port = 1,
                                                .weight = 1,
                                                .admin = SLOT_ADMIN_FMAINT,
                                                .added = true,
                                                .checked = model->checked,
                                                .check_off = model->checked};
}

static inline void model_delete(struct model *model, const struct slot_observed *row)
{
    ck_assert_msg(row->added, "%s is deleted, and HAProxy's configuration has it", row->server);
    ck_assert_msg(row->admin & SLOT_ADMIN_MAINT, "%s is deleted outside maint", row->server);
    model->gone[row - model->rows] = true;
}

static inline void model_settle(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->pending[i]) {
            ck_assert_msg(model->rows[i].admin & SLOT_ADMIN_MAINT, "%s moved late outside maint", model->names[i]);
            memcpy(model->rows[i].address, model->late[i].address, sizeof(model->rows[i].address));
            model->rows[i].port = model->late[i].port;
            model->pending[i] = false;
        }
    }
}

static inline void model_apply(struct model *model, const struct slot_command *command)
{
    if (command->kind == SLOT_COMMAND_ADD) {
        model_add(model, command);
        return;
    }
    struct slot_observed *row = model_find(model, command->server);
    size_t place = (size_t)(row - model->rows);
    bool in_maint = (row->admin & SLOT_ADMIN_MAINT) != 0;
    switch (command->kind) {
    case SLOT_COMMAND_MAINT:
        row->admin = (row->admin & ~(unsigned)SLOT_ADMIN_FDRAIN) | SLOT_ADMIN_FMAINT;
        row->op_state = 0;
        break;
    case SLOT_COMMAND_READY:
        ck_assert_msg(!row->added || !row->check_off, "%s made ready with its checks off", row->server);
        ck_assert_msg(!model->pending[place], "%s made ready before its address was read back", row->server);
        if (in_maint) {
            row->op_state = row->checked && model->starts_down ? 0 : 2;
            model->passed[place] = false;
        }
        row->admin &= ~(unsigned)(SLOT_ADMIN_FMAINT | SLOT_ADMIN_FDRAIN);
        break;
    case SLOT_COMMAND_HEALTH_DOWN:
    case SLOT_COMMAND_HEALTH_UP:
        ck_assert_msg(row->checked, "%s: a word about the health of no checked server", row->server);
        ck_assert_msg(!row->check_off || command->kind == SLOT_COMMAND_HEALTH_UP, "%s: down for ever", row->server);
        if (!in_maint) {
            row->op_state = command->kind == SLOT_COMMAND_HEALTH_UP ? 2 : 0;
        }
        break;
    case SLOT_COMMAND_DRAIN:
        ck_assert_msg(!in_maint, "%s drained from maint, which makes it run", row->server);
        row->admin |= SLOT_ADMIN_FDRAIN;
        break;
    case SLOT_COMMAND_ADDRESS:
        ck_assert_msg(in_maint, "%s moved outside maint", row->server);
        if (row->port == command->port && strcmp(row->address, command->address) == 0) {
            break; /* "nothing changed": what is on its way still comes */
        }
        snprintf(model->late[place].address, sizeof(model->late[place].address), "%s", command->address);
        model->late[place].port = command->port;
        model->pending[place] = true;
        if (!model->is_late) {
            model_settle(model);
        }
        break;
    case SLOT_COMMAND_CHECK_PORT:
        ck_assert_msg(row->checked && !row->check_off, "%s has no check", row->server);
        row->check_port = command->value;
        break;
    case SLOT_COMMAND_WEIGHT:
        ck_assert_uint_le(command->value, 256);
        row->weight = command->value;
        break;
    case SLOT_COMMAND_ENABLE_HEALTH:
        ck_assert_msg(row->added && row->check_off && in_maint, "%s: its checks are somebody else's", row->server);
        row->check_off = false;
        break;
    case SLOT_COMMAND_DELETE:
        model_delete(model, row);
        break;
    case SLOT_COMMAND_ADD:
    case SLOT_COMMAND_ASK:
    case SLOT_COMMAND_READ:
        break;
    }
    size_t serving = model_count_serving(model);
    model->least_serving = serving < model->least_serving ? serving : model->least_serving;
}

#define MODEL_DRAIN_MS 60000
#define MODEL_SURPLUS_MS 30000

static inline struct slots_options model_options(const struct model *model)
{
    return (struct slots_options){.read_back = model->is_late,
                                  .init_state = model->starts_down,
                                  .checked_start = true,
                                  .now_ms = model->now_ms,
                                  .drain_timeout_ms = MODEL_DRAIN_MS,
                                  .server_options = model->grows ? "check inter 2s" : NULL,
                                  .deletes_servers = model->grows,
                                  .tells_requests = model->tells_requests,
                                  .surplus_ms = MODEL_SURPLUS_MS};
}

/* HAProxy's check has passed, or failed. */
static inline void model_check(struct model *model, size_t place, bool passes)
{
    struct slot_observed *row = &model->rows[place];
    if (row->checked && (row->admin & SLOT_ADMIN_MAINT) == 0) {
        row->op_state = passes ? 2 : 0;
        model->passed[place] = model->passed[place] || passes;
    }
}

/* Whether nothing is left to do; each command that was planned has been answered. */
static inline bool model_is_at_rest(const struct model *model, const struct slots *slots)
{
    struct slots_options options = model_options(model);
    struct slot_plan plan = {0};
    slots_preview(slots, &options, &plan);
    bool at_rest = plan.count == 0;
    slot_plan_free(&plan);
    return at_rest;
}

static inline size_t model_list(const struct model *model, struct slot_observed rows[MODEL_SLOTS])
{
    size_t count = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (!model->gone[i]) {
            rows[count++] = model->rows[i];
        }
    }
    return count;
}

static inline void model_show(const struct model *model, struct slots *slots, bool complete)
{
    struct slot_observed rows[MODEL_SLOTS];
    size_t count = model_list(model, rows);
    slots_observe(slots, rows, count, complete);
}

/* The same at any time. */
static inline struct slots_comparison model_compare(const struct model *model, struct slots *slots)
{
    struct slot_observed rows[MODEL_SLOTS];
    size_t count = model_list(model, rows);
    return slots_compare(slots, rows, count);
}

/* Sends what is planned and answers it, until nothing more comes. Notes each command in text, when it is not NULL. */
static inline size_t model_run(struct model *model, struct slots *slots, struct buf *text)
{
    static const char *const names[] = {"maint", "addr",        "check-port", "weight",        "ready",
                                        "drain", "health down", "health up",  "enable health", "add",
                                        "ask",   "delete",      "read"};
    struct slots_options options = model_options(model);
    size_t sent = 0;
    unsigned reads = 0;
    for (int round = 0; round < 100; round++) {
        struct slot_plan plan = {0};
        slots_plan(slots, &options, &plan);
        if (plan.count == 0) {
            slot_plan_free(&plan);
            return sent;
        }
        for (size_t i = 0; i < plan.count; i++) {
            const struct slot_command *command = &plan.commands[i];
            sent++;
            if (command->kind == SLOT_COMMAND_READ) {
                buf_puts(text, "read;");
                if (reads++ >= model->shows_after) {
                    model_settle(model);
                    reads = 0;
                }
                model_show(model, slots, false);
                continue;
            }
            buf_printf(text, "%s %s", command->server, names[command->kind]);
            if (command->kind == SLOT_COMMAND_ADDRESS) {
                buf_printf(text, " %s:%u", command->address, (unsigned)command->port);
            } else if (command->kind == SLOT_COMMAND_WEIGHT || command->kind == SLOT_COMMAND_CHECK_PORT) {
                buf_printf(text, " %u", (unsigned)command->value);
            }
            buf_puts(text, ";");
            model_apply(model, command);
            slots_acknowledge(slots, command, true);
        }
        slot_plan_free(&plan);
    }
    ck_abort_msg("no end of commands");
    return sent;
}

#endif
