/* SPDX-License-Identifier: MIT */
/* Fuzz target: what HAProxy's socket may send: replies and their borders, `show info`, `show servers state`,
 * `show servers conn`, `show stat`, `show backend`. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/backend_command.h"
#include "slotd/haproxy.h"
#include "slotd/server_command.h"

static void judge_backends(const char *reply, size_t len)
{
    char **names = NULL;
    size_t count = 0;
    struct buf why = BUF_INIT;
    for (int command = BACKEND_COMMAND_ADD; command <= BACKEND_COMMAND_DELETE; command++) {
        (void)backend_reply_judge((enum backend_command)command, reply, len);
    }
    if (backend_names_parse(reply, len, &names, &count, &why) == 0) {
        backend_names_free(names, count);
    }
    buf_free(&why);
}

static void judge_all(void *arg, const char *reply, size_t len)
{
    struct haproxy_info info;
    struct haproxy_state *state = NULL;
    (void)arg;
    for (int kind = SLOT_COMMAND_MAINT; kind < SLOT_COMMAND_READ; kind++) {
        struct slot_command command = {.kind = (enum slot_command_kind)kind, .server = "s1"};
        (void)haproxy_reply_judge(&command, reply, len);
    }
    for (int kind = SERVER_COMMAND_ADD; kind <= SERVER_COMMAND_ENABLE_HEALTH; kind++) {
        (void)server_reply_judge((enum server_command_kind)kind, reply, len);
    }
    judge_backends(reply, len);
    (void)haproxy_info_parse(reply, len, &info, NULL);
    struct slot_sessions *rows = NULL;
    size_t count = 0;
    if (haproxy_sessions_parse(reply, len, &rows, &count, NULL) == 0) {
        (void)haproxy_sessions_find_id(reply, len);
        haproxy_sessions_free(rows, count);
    }
    struct slot_sessions row = {.server = "s1"};
    (void)haproxy_sessions_complete(reply, len, "web", &row, 1, NULL);
    if (haproxy_state_parse(reply, len, &state, NULL) == 0) {
        struct buf content = BUF_INIT;
        haproxy_state_write_header(state, &content);
        for (size_t i = 0; i < state->count; i++) {
            haproxy_state_write_row(state, &state->servers[i], &state->servers[i].observed, &content);
        }
        buf_free(&content);
        haproxy_state_free(state);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct haproxy_reply_reader *reader = haproxy_reply_reader_new(1 << 16, judge_all, NULL);
    size_t half = size / 2;
    if (haproxy_reply_reader_feed(reader, (const char *)data, half) == 0) {
        (void)haproxy_reply_reader_feed(reader, (const char *)data + half, size - half);
    }
    haproxy_reply_reader_free(reader);
    return 0;
}
