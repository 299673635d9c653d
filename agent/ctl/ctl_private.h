/* SPDX-License-Identifier: MIT */
/* The parts of slotctl: the call to slotd, the text of each answer, the commands that need no daemon. */
#ifndef CTL_PRIVATE_H
#define CTL_PRIVATE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "slotd/buf.h"
#include "slotd/ctl.h"

struct ctl {
    const char *socket;
    bool json;
    bool colour;
    bool quiet; /* a call that fails says so by its exit code alone */
};

/* ---- call.c ---- */

/* Called with each answer's result; false ends the exchange. */
typedef bool ctl_answer(void *arg, struct json_object *result);
/* Sends one request and hands on its answers: one, or with follow as many as come. Prints errors. With follow SIGPIPE
 * is raised when nobody reads standard output any more. Returns an exit code; after Ctrl-C, when that is caught,
 * CTL_EXIT_FAILED without a word. */
int ctl_call(const struct ctl *ctl, const char *command, struct json_object *arguments, bool follow, ctl_answer *answer,
             void *arg);

/* From now on Ctrl-C ends the waiting for slotd, and not the program. */
void ctl_catch_interrupt(void);
bool ctl_is_interrupted(void);

/* ---- text.c: answers for people, on stdout ---- */

void text_print_status(const struct ctl *ctl, struct json_object *status);
void text_print_services(const struct ctl *ctl, struct json_object *document);
void text_print_slots(const struct ctl *ctl, struct json_object *document);
void text_print_routes(const struct ctl *ctl, struct json_object *document);
void text_print_plan(const struct ctl *ctl, struct json_object *document);
void text_print_events(const struct ctl *ctl, struct json_object *document);
void text_print_sync(const struct ctl *ctl, struct json_object *result);
void text_print_drains(const struct ctl *ctl, struct json_object *document);
void text_print_weights(const struct ctl *ctl, struct json_object *document);
void text_print_confirm(const struct ctl *ctl, struct json_object *result);
/* The document on stdout, in the form that -o asks for. */
void ctl_print(const struct ctl *ctl, struct json_object *document,
               void (*text)(const struct ctl *ctl, struct json_object *document));

/* ---- table.c ---- */

struct text_table;
struct text_table *text_table_new(const char *const *headings, size_t n_columns);
/* Adds one cell, left to right, row by row; control bytes are escaped. colour: an SGR number, 0 for none. */
void text_table_add(struct text_table *table, const char *text, int colour);
/* Prints the table, columns aligned by characters, and frees it. */
void text_table_print(struct text_table *table, bool colours);

/* ---- drain.c ---- */

struct drain_call {
    const char *target, *name;
    const char *timeout, *lasts; /* as said; NULL: not said */
    bool waits;
};
/* Returns NULL, or what is wrong with that many words, the first of which is kind, as a drain's target. */
const char *drain_target_complain(size_t count, const char *kind);
/* Returns NULL, or what is wrong with the arguments. */
const char *drain_call_parse(int argc, char **argv, struct drain_call *ret_call);
struct json_object *drain_call_arguments(const struct drain_call *call);
/* What Ctrl-C has left behind; is_known: slotd has taken the drain. */
void drain_say_interrupted(const struct drain_call *call, bool is_known);
/* Until all of it is drained: an exit code. For programs what it has come to then is printed. */
int drain_wait(const struct ctl *ctl, const struct drain_call *call);
/* Says on stderr when the host that is drained has nothing to drain at the moment. */
void drain_note_empty(const struct drain_call *call, struct json_object *result);

/* ---- user.c ---- */

/* Who asked, for people: `alice (uid 1000)` for what slotd calls `uid 1000`, when the user database has him; else as it
 * stands. May block. The caller frees. */
char *user_show(const char *by);

/* ---- offline.c ---- */

/* `map FILE|-|URL [-c FILE]`. */
int ctl_map(const struct ctl *ctl, int argc, char **argv);
/* All of a file, of standard input (`-`) or of what an URL answers; what is wrong goes to stderr. */
bool ctl_read_source(const char *source, struct buf *content);
struct config;
/* The file, or what holds without one (NULL); NULL: what is wrong is on stderr. The caller frees. */
struct config *ctl_load_config(const char *path);

/* ---- route_command.c ---- */

/* `route METHOD URL [-H 'Name: value']... [--src IP] --apps FILE [-c FILE]`, and `route --apps FILE [-c FILE]
 * --requests FILE`. What is wrong with the words goes to complaint. */
int ctl_route(const struct ctl *ctl, int argc, char **argv, struct buf *complaint);

/* ---- route_text.c ---- */

/* A decision of route_output_decision(), whole. */
void text_print_route(const struct ctl *ctl, struct json_object *decision);

/* ---- render_command.c ---- */

/* `render [-c FILE] [--name NAME] [--backends N] [--slots N] [--init]`. What is wrong with the words goes to complaint.
 */
int ctl_render(const struct ctl *ctl, int argc, char **argv, struct buf *complaint);

/* ---- doctor.c ---- */

/* `doctor [-c FILE]`. What is wrong with the words goes to complaint. */
int ctl_doctor(const struct ctl *ctl, int argc, char **argv, struct buf *complaint);

/* ---- render_init.c ---- */

struct config_haproxy;
/* Creates the files that are missing of those that HAProxy and slotd share: the maps, empty, and the state file,
 * without a row; says on stderr what it created and what went wrong. Returns whether all of them are there. */
bool render_init_files(const struct config_haproxy *haproxy);

#endif
