/* SPDX-License-Identifier: MIT */
/* The targets of a load that takes orders: whose answer is right, and what is demanded of each at the moment. */
#include <stdio.h>
#include <string.h>

#include "loadgen.h"
#include "slotd/mem.h"

#define TARGETS_MAX_WORDS 64

/* ---- judging ---- */

/* The app of a task is what stands before the first `.` or `_` of its id. */
static size_t answer_find_app(const struct buf *answer, const char **ret_app)
{
    static const char name[] = "\r\nx-task: ";
    const char *task = strcasestr(buf_text(answer), name);
    *ret_app = task ? task + sizeof(name) - 1 : "";
    return strcspn(*ret_app, "._\r\n");
}

static bool target_allows(const struct target *target, const char *app, size_t len)
{
    cleanup_free char *word = mem_printf(" %.*s ", (int)len, app);
    return len > 0 && strstr(target->others, word);
}

enum outcome target_judge(const struct user *user, enum outcome outcome)
{
    const struct target *target = user->target;
    const char *app;
    if (!target) {
        return outcome;
    }
    bool strict = user->strict && target->mode == TARGET_LIVE;
    if (outcome != OUTCOME_GOOD) {
        return strict ? outcome : OUTCOME_ALLOWED;
    }
    size_t len = answer_find_app(&user->answer, &app);
    if (len == strlen(target->app) && strncmp(app, target->app, len) == 0) {
        return OUTCOME_GOOD;
    }
    return !strict && target_allows(target, app, len) ? OUTCOME_ALLOWED : OUTCOME_WRONG;
}

/* ---- asking ---- */

static void target_ask(uv_timer_t *timer)
{
    struct target *target = timer->data;
    if (target->mode == TARGET_AWAITED && !target->load->stopping) {
        load_request(target->load, target);
    }
}

void target_note(struct target *target, enum outcome outcome)
{
    if (!target || target->mode != TARGET_AWAITED) {
        return;
    }
    if (outcome == OUTCOME_GOOD) {
        target->mode = TARGET_LIVE;
        printf("served %s %llu\n", target->id, (unsigned long long)load_now_us());
        fflush(stdout);
    } else {
        uv_timer_start(&target->timer, target_ask, target->pause_ms, 0);
    }
}

struct target *targets_take_turn(struct load *load)
{
    struct target *start = load->turn ? load->turn : load->first_target;
    struct target *target = start;
    do {
        target = target && target->next ? target->next : load->first_target;
        if (target && (target->mode == TARGET_LIVE || target->mode == TARGET_DOUBTED)) {
            load->turn = target;
            return target;
        }
    } while (target != start);
    return NULL;
}

/* ---- orders ---- */

static size_t order_split(char *line, char **words)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word && count < TARGETS_MAX_WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    return count;
}

static void target_set_others(struct target *target, char **apps, size_t count)
{
    struct buf others = BUF_INIT;
    buf_putc(&others, ' ');
    for (size_t i = 0; i < count; i++) {
        buf_printf(&others, "%s ", apps[i]);
    }
    free(target->others);
    target->others = mem_strdup(buf_text(&others));
    buf_free(&others);
}

/* words: ID HOST PATH APP PAUSE [OTHER...] */
static void order_await(struct load *load, char **words, size_t count)
{
    struct target *target = MEM_NEW(struct target);
    target->load = load;
    target->id = mem_strdup(words[0]);
    target->host = mem_strdup(words[1]);
    target->path = mem_strdup(words[2]);
    target->app = mem_strdup(words[3]);
    target->pause_ms = strtoul(words[4], NULL, 10);
    target_set_others(target, words + 5, count - 5);
    uv_timer_init(load->loop, &target->timer);
    target->timer.data = target;
    target->next = load->first_target;
    load->first_target = target;
    table_put(&load->targets, target->id, target);
    load_request(load, target);
}

static bool order_apply(struct load *load, char **words, size_t count)
{
    struct target *target = count > 1 ? table_get(&load->targets, words[1]) : NULL;
    if (count >= 6 && strcmp(words[0], "await") == 0 && !target) {
        order_await(load, words + 1, count - 1);
    } else if (target && strcmp(words[0], "doubt") == 0) {
        target->mode = TARGET_DOUBTED;
        target_set_others(target, words + 2, count - 2);
    } else if (target && strcmp(words[0], "drop") == 0) {
        target->mode = TARGET_DROPPED;
    } else {
        return false;
    }
    return true;
}

/* `done ID` answers the order about that target. */
static void order_take(struct load *load, char *line)
{
    char *words[TARGETS_MAX_WORDS];
    size_t count = order_split(line, words);
    if (!order_apply(load, words, count)) {
        fprintf(stderr, "loadgen: no such order: %s\n", count > 0 ? words[0] : "");
    } else if (strcmp(words[0], "await") != 0) {
        printf("done %s\n", words[1]);
        fflush(stdout);
    }
}

static void orders_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    struct load *load = handle->data;
    (void)suggested;
    *part = uv_buf_init(buf_reserve(&load->order, 4096), 4096);
}

static void orders_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *part)
{
    struct load *load = stream->data;
    char *end;
    (void)part;
    if (n_read < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    buf_commit(&load->order, (size_t)n_read);
    while (load->order.len > 0 && (end = memchr(load->order.data, '\n', load->order.len))) {
        *end = '\0';
        order_take(load, load->order.data);
        buf_consume(&load->order, (size_t)(end - load->order.data) + 1);
    }
}

void targets_open(struct load *load)
{
    table_init(&load->targets, 0);
    uv_pipe_init(load->loop, &load->orders, 0);
    load->orders.data = load;
    if (uv_pipe_open(&load->orders, 0) == 0) {
        uv_read_start((uv_stream_t *)&load->orders, orders_allocate, orders_read);
    }
}

void targets_close(struct load *load)
{
    for (struct target *target = load->first_target; target; target = target->next) {
        uv_timer_stop(&target->timer);
    }
    buf_free(&load->order);
}
