/* SPDX-License-Identifier: MIT */
/* `drain`: its arguments, and waiting for its end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ctl_private.h"
#include "slotd/buf.h"
#include "slotd/mem.h"
#include "slotd/orders.h"

#define WAIT_STEP_MS 50
#define WAIT_WIDTH 79      /* columns, when the terminal does not tell */
#define WAIT_GRACE_MS 2000 /* for maint behind the timeout; HAProxy may be away */

/* ---- arguments ---- */

/* The option's value: what stands behind `=`, or the next word, which is taken then. */
static const char *option_value(const char *option, int argc, char **argv, int *place)
{
    size_t len = strlen(option);
    if (argv[*place][len] == '=') {
        return argv[*place] + len + 1;
    }
    return *place + 1 < argc ? argv[++*place] : NULL;
}

static bool is_option(const char *word, const char *option)
{
    size_t len = strlen(option);
    return strncmp(word, option, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

const char *drain_target_complain(size_t count, const char *kind)
{
    enum order_target target = ORDER_APP;
    return count == 2 && order_target_parse(kind, &target, NULL) == 0
               ? NULL
               : "needs app ID, task ID, host NAME or slot BACKEND/SLOT";
}

const char *drain_call_parse(int argc, char **argv, struct drain_call *ret_call)
{
    const char *words[2] = {NULL, NULL};
    size_t n_words = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--wait") == 0) {
            ret_call->waits = true;
        } else if (is_option(argv[i], "--timeout")) {
            ret_call->timeout = option_value("--timeout", argc, argv, &i);
            if (!ret_call->timeout) {
                return "--timeout needs a duration";
            }
        } else if (is_option(argv[i], "--for")) {
            ret_call->lasts = option_value("--for", argc, argv, &i);
            if (!ret_call->lasts) {
                return "--for needs a duration";
            }
        } else if (argv[i][0] == '-') {
            return "knows --timeout D, --for D and --wait alone";
        } else if (n_words == 2) {
            return "takes one target";
        } else {
            words[n_words++] = argv[i];
        }
    }
    ret_call->target = words[0];
    ret_call->name = words[1];
    return drain_target_complain(n_words, words[0]);
}

struct json_object *drain_call_arguments(const struct drain_call *call)
{
    struct json_object *arguments = json_object_new_object();
    struct json_object *names = json_object_new_array();
    json_object_array_add(names, json_object_new_string(call->target));
    json_object_array_add(names, json_object_new_string(call->name));
    json_object_object_add(arguments, "names", names);
    if (call->timeout) {
        json_object_object_add(arguments, "timeout", json_object_new_string(call->timeout));
    }
    if (call->lasts) {
        json_object_object_add(arguments, "for", json_object_new_string(call->lasts));
    }
    return arguments;
}

/* ---- answers ---- */

static bool text_member_is(struct json_object *object, const char *key, const char *wanted)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) && strcmp(json_object_get_string(value), wanted) == 0;
}

static const char *string_member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "-";
}

static int64_t number_member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value) : 0;
}

/* An app id may have been said without its slash. */
static bool drain_is_ours(struct json_object *drain, const struct drain_call *call)
{
    cleanup_free char *slashed = mem_printf("/%s", call->name);
    return text_member_is(drain, "target", call->target) &&
           (text_member_is(drain, "name", call->name) || text_member_is(drain, "name", slashed));
}

/* The call's own among all drains, or NULL. */
static struct json_object *find_drain(struct json_object *result, const struct drain_call *call)
{
    struct json_object *drains = NULL;
    json_object_object_get_ex(result, "drains", &drains);
    for (size_t i = 0; drains && i < json_object_array_length(drains); i++) {
        struct json_object *drain = json_object_array_get_idx(drains, i);
        if (drain_is_ours(drain, call)) {
            return drain;
        }
    }
    return NULL;
}

void drain_note_empty(const struct drain_call *call, struct json_object *result)
{
    struct json_object *endpoints = NULL;
    struct json_object *drain = strcmp(call->target, "host") == 0 ? find_drain(result, call) : NULL;
    if (drain && !text_member_is(drain, "state", "draining") &&
        json_object_object_get_ex(drain, "endpoints", &endpoints) && json_object_array_length(endpoints) == 0) {
        fprintf(stderr,
                "slotctl: no task that has a slot runs on host %s now; what starts there later will be drained\n",
                call->name);
    }
}

/* ---- waiting ---- */

struct wait_state {
    const struct drain_call *call;
    bool is_there, goes_on, unread;     /* unread: of some slots the sessions are not known yet */
    int64_t sessions, left_ms, late_ms; /* late: waited since the time was over */
    struct buf where;                   /* the slots that have them */
    struct json_object *last;           /* the answer that all of it is from */
};

#define WAIT_MAX_SLOTS 3 /* that are named in a line */

/* As " (edge backend-web/s1 2, edge backend-web/s4 1)"; nothing when there are none. */
static void wait_note_slots(struct wait_state *state, struct json_object *drain)
{
    struct buf *where = &state->where;
    struct json_object *endpoints = NULL;
    size_t count = 0;
    buf_clear(where);
    state->unread = false;
    json_object_object_get_ex(drain, "endpoints", &endpoints);
    for (size_t i = 0; endpoints && i < json_object_array_length(endpoints); i++) {
        struct json_object *endpoint = json_object_array_get_idx(endpoints, i);
        int64_t sessions = number_member(endpoint, "sessions");
        state->unread = state->unread || !json_object_object_get(endpoint, "sessions");
        if (sessions > 0 && ++count <= WAIT_MAX_SLOTS) {
            buf_printf(where, "%s%s %s/%s %" PRId64, count == 1 ? " (" : ", ", string_member(endpoint, "haproxy"),
                       string_member(endpoint, "backend"), string_member(endpoint, "slot"), sessions);
        }
    }
    if (count > WAIT_MAX_SLOTS) {
        buf_printf(where, ", and %zu more", count - WAIT_MAX_SLOTS);
    }
    buf_puts(where, count > 0 ? ")" : "");
}

static bool wait_look(void *arg, struct json_object *result)
{
    struct wait_state *state = arg;
    struct json_object *drain = find_drain(result, state->call);
    state->is_there = drain != NULL;
    state->goes_on = drain && text_member_is(drain, "state", "draining");
    state->sessions = drain ? number_member(drain, "sessions") : 0;
    state->left_ms = drain ? number_member(drain, "left_ms") : 0;
    state->late_ms += state->goes_on && state->left_ms == 0 ? WAIT_STEP_MS : 0;
    wait_note_slots(state, drain);
    json_object_put(state->last);
    state->last = json_object_get(result);
    return true;
}

/* How many columns a line may take on that terminal so that the next one can take its place. */
static int terminal_width(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : WAIT_WIDTH;
}

static void wait_show(const struct wait_state *state)
{
    if (isatty(STDERR_FILENO)) {
        bool drained = state->is_there && !state->goes_on && state->sessions == 0;
        cleanup_free char *count = state->unread && state->sessions == 0 ? mem_strdup("not read yet")
                                                                         : mem_printf("%" PRId64, state->sessions);
        cleanup_free char *left = mem_printf("time left: %.1f s, sessions left: %s%s", (double)state->left_ms / 1000,
                                             count, buf_text(&state->where));
        fprintf(stderr, "\r%.*s\033[K%s", terminal_width(), drained ? "drained" : left, state->goes_on ? "" : "\n");
    }
}

/* ---- a drain that is there no more ---- */

struct look_for {
    const struct drain_call *call;
    bool is_there;
};

/* Whether the call is about that endpoint: services list those that are not gone, and it may have sessions. */
static bool endpoint_is_meant(struct json_object *service, struct json_object *endpoint, const struct drain_call *call)
{
    cleanup_free char *slashed = mem_printf("/%s", call->name);
    if (strcmp(call->target, "slot") == 0) {
        cleanup_free char *slot =
            mem_printf("%s/%s", string_member(service, "backend"), string_member(endpoint, "slot"));
        return strcmp(slot, call->name) == 0;
    }
    return text_member_is(endpoint, call->target, call->name) || text_member_is(endpoint, call->target, slashed);
}

static bool look_for_endpoint(void *arg, struct json_object *result)
{
    struct look_for *look = arg;
    struct json_object *services = NULL;
    json_object_object_get_ex(result, "services", &services);
    for (size_t i = 0; services && i < json_object_array_length(services); i++) {
        struct json_object *service = json_object_array_get_idx(services, i);
        struct json_object *endpoints = NULL;
        json_object_object_get_ex(service, "endpoints", &endpoints);
        for (size_t e = 0; endpoints && e < json_object_array_length(endpoints); e++) {
            look->is_there =
                look->is_there || endpoint_is_meant(service, json_object_array_get_idx(endpoints, e), look->call);
        }
    }
    return true;
}

/* Who takes a machine away when this returns must not do so because somebody else has ended the drain. With its task or
 * app it ended well: nothing is left there. */
static int wait_explain_end(const struct ctl *ctl, const struct drain_call *call)
{
    struct look_for look = {.call = call};
    int code = ctl_call(ctl, "services", json_object_new_object(), false, look_for_endpoint, &look);
    if (code == CTL_EXIT_DONE && look.is_there) {
        fputs("slotctl: the drain has ended before it was done: by undrain, or by its --for\n", stderr);
        code = CTL_EXIT_FAILED;
    }
    return code;
}

/* ---- until its end ---- */

static int wait_end(const struct ctl *ctl, const struct wait_state *state)
{
    if (!state->is_there) {
        return wait_explain_end(ctl, state->call);
    }
    if (state->goes_on) {
        fputs(
            "slotctl: the time is over, and not all of it is in maint; slotctl status says what keeps slotd from it\n",
            stderr);
        return CTL_EXIT_FAILED;
    }
    if (state->sessions > 0) {
        fprintf(stderr, "slotctl: the time is over; sessions left: %" PRId64 "%s\n", state->sessions,
                buf_text(&state->where));
    }
    return state->sessions > 0 ? CTL_EXIT_FAILED : CTL_EXIT_DONE;
}

void drain_say_interrupted(const struct drain_call *call, bool is_known)
{
    const char *line_end = isatty(STDERR_FILENO) ? "\n" : "";
    if (is_known) {
        fprintf(stderr, "%sslotctl: the drain goes on; slotctl undrain %s %s ends it\n", line_end, call->target,
                call->name);
    } else {
        fprintf(stderr, "%sslotctl: slotd has not answered; slotctl drains says whether it drains\n", line_end);
    }
}

int drain_wait(const struct ctl *ctl, const struct drain_call *call)
{
    struct wait_state state = {.call = call, .goes_on = true, .where = BUF_INIT};
    int code = CTL_EXIT_DONE;
    for (;;) {
        code = ctl_call(ctl, "drains", json_object_new_object(), false, wait_look, &state);
        if (ctl_is_interrupted()) {
            drain_say_interrupted(call, true);
            code = CTL_EXIT_FAILED;
            break;
        }
        if (code != CTL_EXIT_DONE) {
            break;
        }
        wait_show(&state);
        if (!state.goes_on || state.late_ms >= WAIT_GRACE_MS) {
            code = wait_end(ctl, &state);
            break;
        }
        (void)nanosleep(&(struct timespec){0, WAIT_STEP_MS * 1000000L}, NULL);
    }
    if (ctl->json && state.last) {
        ctl_print(ctl, state.last, text_print_drains);
    }
    json_object_put(state.last);
    buf_free(&state.where);
    return code;
}
