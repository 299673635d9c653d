/* SPDX-License-Identifier: MIT */
/* HAProxy's end of the wires: lines in, replies out, and cuts in the middle. */
#include <string.h>

#include "haproxy_parts.h"

static struct wire *wire_numbered(uint64_t number)
{
    struct wire *wire = wire_next(NULL);
    while (wire && wire->number != number) {
        wire = wire_next(wire);
    }
    return wire;
}

static bool wire_take_line(struct wire *wire, struct buf *line)
{
    const char *end = wire->input.len ? memchr(wire->input.data, '\n', wire->input.len) : NULL;
    if (!end) {
        return false;
    }
    size_t len = (size_t)(end - wire->input.data);
    buf_clear(line);
    buf_append(line, wire->input.data, len);
    wire->line_at = wire->taken;
    wire->taken += len + 1;
    buf_consume(&wire->input, len + 1);
    wire->is_older = wire->older > 0;
    wire->older -= wire->older > len ? len + 1 : wire->older;
    return true;
}

/* What slotd has left in a socket that it closed is still executed, or some of it, or nothing. */
static void wire_spend(struct wire *wire, unsigned percent)
{
    cleanup_buf struct buf line = BUF_INIT;
    cleanup_buf struct buf reply = BUF_INIT;
    size_t lines = 0;
    for (size_t i = 0; i < wire->input.len; i++) {
        lines += wire->input.data[i] == '\n';
    }
    size_t most = percent >= 99 ? lines : lines * percent / 100;
    while (most-- > 0 && wire_take_line(wire, &line)) {
        buf_clear(&reply);
        haproxy_execute(wire, buf_text(&line), &reply);
        step();
    }
    buf_clear(&wire->input);
    wire->older = 0;
}

static void wire_work(void *arg, uint64_t number)
{
    struct wire *wire = wire_numbered(number);
    cleanup_buf struct buf line = BUF_INIT;
    cleanup_buf struct buf reply = BUF_INIT;
    (void)arg;
    if (!wire) {
        return;
    }
    struct haproxy *haproxy = wire->haproxy;
    wire->is_busy = false;
    if (wire->is_eof || !wire->is_open) {
        return;
    }
    if (now_us() < haproxy->frozen_until_us) {
        /* What slotd has left there comes first: a new connection has several replies to wait for before it adopts. */
        wire->is_busy = true;
        schedule(haproxy->frozen_until_us - now_us(), wire_work, NULL, number);
        return;
    }
    if (!wire->stream) {
        wire_spend(wire, (unsigned)chance_below(&haproxy_luck, 4) * 33);
        return;
    }
    if (!wire_take_line(wire, &line)) {
        return;
    }
    bool changes = strncmp(line.data, "set ", 4) == 0 || strncmp(line.data + 3, " map ", 5) == 0;
    haproxy_execute(wire, buf_text(&line), &reply);
    if (wire->is_prompting) {
        buf_puts(&reply, "> ");
    }
    wire_deliver(wire, reply.data, reply.len);
    step();
    if (changes && haproxy->cut_after > 0 && --haproxy->cut_after == 0) {
        count_fault(FAULT_BATCH_CUT);
        haproxy_cut(haproxy, (unsigned)chance_below(&haproxy_luck, 4) * 33);
        return;
    }
    if (wire->input.len > 0) {
        wire->is_busy = true;
        schedule(3 + (int64_t)chance_below(&haproxy_luck, 30), wire_work, NULL, number);
    }
}

void wires_note_told(void)
{
    for (struct wire *wire = wire_next(NULL); wire; wire = wire_next(wire)) {
        wire->older = wire->input.len;
    }
}

void haproxy_input(struct wire *wire)
{
    if (!wire->is_busy) {
        wire->is_busy = true;
        schedule(chance_delay(&haproxy_luck, 10, 400), wire_work, NULL, wire->number);
    }
}

void haproxy_note_closed(struct wire *wire)
{
    if (wire->is_open && !wire->is_eof && now_us() >= wire->haproxy->frozen_until_us) {
        wire_spend(wire, (unsigned)chance_below(&haproxy_luck, 4) * 33);
    }
}

void haproxy_cut(struct haproxy *haproxy, unsigned percent_done)
{
    for (struct wire *wire = wire_next(NULL); wire; wire = wire_next(wire)) {
        if (wire->haproxy == haproxy && wire->is_open && !wire->is_eof) {
            wire_spend(wire, percent_done);
            buf_clear(&wire->output);
            wire_end(wire);
        }
    }
    haproxy->quiet_us = now_us();
}
