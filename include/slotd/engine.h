/* SPDX-License-Identifier: MIT */
/* Carries changes along the flow: Marathon's client feeds the cluster, dirty apps are mapped, changed services become
 * desired slots, plans become Runtime API lines, and replies come back. One engine a daemon; it owns the state that the
 * control socket shows. */
#ifndef SLOTD_ENGINE_H
#define SLOTD_ENGINE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/config.h"

struct engine;

struct engine_options {
    bool confirm;  /* `--confirm`: the first complete answer is believed whatever it lacks */
    uint64_t seed; /* for hash tables, from the system's random source */
};

/* Returns 0 or a negative error with why. config is borrowed until engine_reload() or engine_close(). */
int engine_new(uv_loop_t *loop, const struct config *config, const struct engine_options *options,
               struct engine **ret_engine, struct buf *why);
/* Begins to connect to both sides. */
void engine_start(struct engine *engine);
/* Takes another configuration into use without touching what serves; a part that did not change keeps its connections.
 * Returns 0 or a negative error with why: then the old configuration stays in use. The caller frees the old one on
 * success. */
int engine_reload(struct engine *engine, const struct config *config, struct buf *why);
/* Writes the state files, closes everything, leaves HAProxy as it is. Freed when the loop has closed its handles. */
void engine_close(struct engine *engine);

/* ---- what slotctl shows, as JSON documents that the caller owns ---- */

struct json_object *engine_show_status(const struct engine *engine);
/* names: services, backends or apps; those that stand for nothing are listed as "unknown". None: everything. */
struct json_object *engine_show_services(struct engine *engine, const char *const *names, size_t n_names);
/* The same with backends. Sessions are those that engine_survey() has read last. */
struct json_object *engine_show_slots(const struct engine *engine, const char *const *backends, size_t n_backends);
/* Each rule, what decides it, and where its keys lead in the first HAProxy that looks them up. */
struct json_object *engine_show_routes(const struct engine *engine);
struct json_object *engine_show_plan(const struct engine *engine);
/* The recorded changes, oldest first, from sequence number `from` on; *ret_next is the number after the last. */
struct json_object *engine_show_events(const struct engine *engine, uint64_t from, uint64_t *ret_next);
/* Why it is not in sync with both sides, as `slotctl status` lists it: one line of plain text for each reason. Returns
 * whether there is none. lines may be NULL. */
bool engine_list_reasons(const struct engine *engine, struct buf *lines);
/* One line of plain text for sd_notify's STATUS and the log. */
void engine_describe(const struct engine *engine, struct buf *text);

/* ---- what slotctl asks for ---- */

/* Called once: a complete fetch was made, every slot was read, and everything is reconciled, or it failed (result says
 * why under "error"). Owned by the callee. */
typedef void engine_synced(void *arg, bool ok, struct json_object *result);
struct engine_waiter;
struct engine_waiter *engine_sync(struct engine *engine, engine_synced *done, void *arg);
void engine_waiter_cancel(struct engine_waiter *waiter);
/* A weight instead of the labels': words are app ID or task ID, and N, N% or reset. Applied at once, in HAProxy with
 * the loop's next turn. Returns 0 or a negative error with why; engine_save_orders() follows. by says who asked. */
int engine_order_weight(struct engine *engine, const char *const *words, size_t count, const char *by, struct buf *why);
/* The same for drains. words are app ID, task ID, host NAME or slot BACKEND/SLOT. */
struct engine_drain_options {
    const char
        *timeout;      /* a duration: how long sessions are waited for; NULL: as before, at first slots.drain_timeout */
    const char *lasts; /* a duration after which it ends by itself; NULL: never */
    const char *by;
};
int engine_order_drain(struct engine *engine, const char *const *words, size_t count,
                       const struct engine_drain_options *options, struct buf *why);
int engine_order_undrain(struct engine *engine, const char *const *words, size_t count, const char *by,
                         struct buf *why);
struct json_object *engine_show_drains(const struct engine *engine);
/* Puts what operators have asked for on disk; done is called once, from the loop, with 0 when it is there. */
typedef void engine_orders_saved(void *arg, int err);
void engine_save_orders(struct engine *engine, engine_orders_saved *done, void *arg);
/* Why it is not there, as a sentence, or NULL. */
const char *engine_orders_error(const struct engine *engine);
struct json_object *engine_show_weights(const struct engine *engine);
/* Asks each HAProxy what it does not tell by itself, a few backends at a time so that events do not wait behind: which
 * slots its health checks have up, and for `slots` how many sessions they have. names are what engine_show_slots() or
 * engine_show_services() will be asked for. done is called once, from the loop, also when a HAProxy cannot be asked. */
enum engine_survey_topic {
    ENGINE_SURVEY_SLOTS,
    ENGINE_SURVEY_SERVICES,
    ENGINE_SURVEY_DRIFT, /* of every backend, whether another hand has changed it */
};
typedef void engine_surveyed(void *arg);
struct engine_survey;
struct engine_survey *engine_survey(struct engine *engine, enum engine_survey_topic topic, const char *const *names,
                                    size_t n_names, engine_surveyed *done, void *arg);
void engine_survey_cancel(struct engine_survey *survey);
/* Lets removals through that the guard holds; returns how many tasks go. */
size_t engine_confirm(struct engine *engine);
/* Called after each change is recorded; for `events -f`. */
typedef void engine_changed(void *arg);
struct engine_listener;
struct engine_listener *engine_listen(struct engine *engine, engine_changed *changed, void *arg);
void engine_unlisten(struct engine_listener *listener);

#endif
