/* SPDX-License-Identifier: MIT */
/* What a connection's frames are answered with. */
#include "slotd/mem.h"
#include "spoe_private.h"

unsigned code_index(uint64_t code)
{
    return code < SPOE_CODES - 1 ? (unsigned)code : SPOE_CODES - 1;
}

static void input_resize(struct connection *connection, size_t size)
{
    if (size > connection->input_size) {
        connection->input = mem_resize_array(connection->input, size, 1);
        connection->input_size = size;
    }
}

static int answer_hello(struct connection *connection, const struct spop_frame *frame, struct spop_writer *writer)
{
    struct spop_hello hello;
    int err = spop_hello_read(frame, &hello);
    if (err) {
        return err;
    }
    uint32_t max = hello.max_frame_size < SPOE_FRAME_MAX ? hello.max_frame_size : SPOE_FRAME_MAX;
    spop_agent_hello_write(writer, max, hello.pipelining);
    connection->answer_max = max;
    connection->frame_max = max;
    connection->phase = hello.healthcheck ? PHASE_CHECK : PHASE_OPEN;
    count_add(&connection->loop->counters.healthchecks, hello.healthcheck);
    return 0;
}

static int answer_messages(struct loop *loop, struct spop_reader payload, struct spop_writer *writer)
{
    const struct spoe_config *config = &loop->spoe->config;
    while (spop_message_read(&payload, &loop->message)) {
        unsigned kind = config->decide(config->arg, loop->number, &loop->message, writer);
        count_add(&loop->counters.answers[kind < SPOE_KINDS ? kind : SPOE_KINDS - 1], 1);
    }
    return payload.failed ? -SPOP_INVALID : 0;
}

/* An answer that would be too long is empty: HAProxy then has no verdict, which is not a verdict of half the
 * variables. */
static int answer_notify(struct connection *connection, const struct spop_frame *frame, struct spop_writer *writer)
{
    if (frame->flags & SPOP_ABORT) {
        return 0;
    }
    if (!(frame->flags & SPOP_FIN)) {
        return -SPOP_FRAGMENTED;
    }
    uint8_t *end = writer->end;
    uint8_t *start = spop_frame_begin(writer, SPOP_ACK, frame->stream_id, frame->frame_id);
    uint8_t *actions = writer->at;
    writer->end = start + SPOP_LENGTH_SIZE + connection->answer_max;
    int err = answer_messages(connection->loop, frame->payload, writer);
    writer->end = end;
    if (err) {
        writer->at = start;
        return err;
    }
    if (writer->failed) {
        writer->failed = false;
        writer->at = actions;
        count_add(&connection->loop->counters.truncated, 1);
    }
    spop_frame_end(writer, start);
    return 0;
}

static int answer_disconnect(struct connection *connection, const struct spop_frame *frame)
{
    uint64_t code = 0;
    int err = spop_disconnect_read(frame, &code);
    if (err) {
        return err;
    }
    count_add(&connection->loop->counters.refused[code_index(code)], 1);
    connection->phase = PHASE_ENDING;
    return 0;
}

static int answer_frame(struct connection *connection, const struct spop_frame *frame, struct spop_writer *writer)
{
    bool open = connection->phase == PHASE_OPEN;
    switch (frame->type) {
    case SPOP_HAPROXY_HELLO:
        return connection->phase == PHASE_HELLO ? answer_hello(connection, frame, writer) : -SPOP_INVALID;
    case SPOP_HAPROXY_DISCONNECT:
        return answer_disconnect(connection, frame);
    case SPOP_NOTIFY:
        return open ? answer_notify(connection, frame, writer) : -SPOP_INVALID;
    case SPOP_UNSET:
        return open ? -SPOP_FRAGMENTED : -SPOP_INVALID;
    case SPOP_AGENT_HELLO:
    case SPOP_AGENT_DISCONNECT:
    case SPOP_ACK:
        return -SPOP_INVALID;
    default:
        return connection->phase == PHASE_HELLO ? -SPOP_INVALID : 0;
    }
}

int connection_answer(struct connection *connection, struct spop_writer *writer, size_t *ret_used,
                      uint64_t *ret_requests)
{
    int err = 0;
    size_t used = 0;
    while (connection->phase != PHASE_ENDING &&
           (size_t)(writer->end - writer->at) >= connection->answer_max + SPOP_LENGTH_SIZE) {
        struct spop_frame frame;
        err = spop_frame_read(connection->input + used, connection->input_len - used, connection->frame_max, &frame);
        if (err == 1) {
            used += frame.size;
            *ret_requests += frame.type == SPOP_NOTIFY;
            err = answer_frame(connection, &frame, writer);
        } else if (err == 0) {
            break;
        }
        if (err < 0) {
            break;
        }
    }
    *ret_used = used;
    input_resize(connection, connection->frame_max + SPOP_LENGTH_SIZE);
    return err < 0 ? err : 0;
}
