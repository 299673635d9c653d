/* SPDX-License-Identifier: MIT */
/* Writes SPOP into a buffer whose end is an error that stays. */
#include <endian.h>
#include <string.h>

#include "slotd/spop.h"

#define ACTION_SET 1
#define ACTION_SET_ARGUMENTS 3
#define ACTION_UNSET 2
#define ACTION_UNSET_ARGUMENTS 2

struct spop_writer spop_writer_over(void *buffer, size_t size)
{
    return (struct spop_writer){.start = buffer, .at = buffer, .end = (uint8_t *)buffer + size};
}

/* Room for len bytes, or NULL. */
static uint8_t *writer_take(struct spop_writer *writer, size_t len)
{
    if (writer->failed || len > (size_t)(writer->end - writer->at)) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *taken = writer->at;
    writer->at += len;
    return taken;
}

static void write_bytes(struct spop_writer *writer, const void *data, size_t len)
{
    uint8_t *room = writer_take(writer, len);
    if (room && len > 0) {
        memcpy(room, data, len);
    }
}

void spop_write_byte(struct spop_writer *writer, uint8_t byte)
{
    write_bytes(writer, &byte, 1);
}

void spop_write_varint(struct spop_writer *writer, uint64_t value)
{
    uint8_t bytes[SPOP_VARINT_MAX];
    size_t len = 0;
    if (value < 240) {
        bytes[len++] = (uint8_t)value;
    } else {
        bytes[len++] = (uint8_t)(value | 0xf0);
        for (value = (value - 240) >> 4; value >= 128; value = (value - 128) >> 7) {
            bytes[len++] = (uint8_t)(value | 0x80);
        }
        bytes[len++] = (uint8_t)value;
    }
    write_bytes(writer, bytes, len);
}

void spop_write_text(struct spop_writer *writer, struct spop_text text)
{
    spop_write_varint(writer, text.len);
    write_bytes(writer, text.data, text.len);
}

void spop_write_value(struct spop_writer *writer, const struct spop_value *value)
{
    bool is_true = value->type == SPOP_BOOL && value->boolean;
    spop_write_byte(writer, (uint8_t)(value->type | (is_true ? 0x10 : 0)));
    switch (value->type) {
    case SPOP_NULL:
    case SPOP_BOOL:
        return;
    case SPOP_INT32:
    case SPOP_UINT32:
    case SPOP_INT64:
    case SPOP_UINT64:
        spop_write_varint(writer, value->number);
        return;
    case SPOP_IPV4:
    case SPOP_IPV6:
        if (value->text.len != (value->type == SPOP_IPV4 ? 4 : 16)) {
            writer->failed = true;
            return;
        }
        write_bytes(writer, value->text.data, value->text.len);
        return;
    case SPOP_STRING:
    case SPOP_BINARY:
        spop_write_text(writer, value->text);
        return;
    }
}

static void write_word(uint8_t *to, uint32_t word)
{
    word = htobe32(word);
    memcpy(to, &word, sizeof(word));
}

uint8_t *spop_frame_begin(struct spop_writer *writer, enum spop_frame_type type, uint64_t stream_id, uint64_t frame_id)
{
    uint8_t *start = writer->at;
    uint8_t *head = writer_take(writer, SPOP_LENGTH_SIZE + 5);
    if (head) {
        head[SPOP_LENGTH_SIZE] = (uint8_t)type;
        write_word(head + SPOP_LENGTH_SIZE + 1, SPOP_FIN);
    }
    spop_write_varint(writer, stream_id);
    spop_write_varint(writer, frame_id);
    return start;
}

void spop_frame_end(struct spop_writer *writer, uint8_t *start)
{
    if (!writer->failed) {
        write_word(start, (uint32_t)(writer->at - start - SPOP_LENGTH_SIZE));
    }
}

void spop_set_variable(struct spop_writer *writer, enum spop_scope scope, struct spop_text name,
                       const struct spop_value *value)
{
    const uint8_t head[] = {ACTION_SET, ACTION_SET_ARGUMENTS, (uint8_t)scope};
    write_bytes(writer, head, sizeof(head));
    spop_write_text(writer, name);
    spop_write_value(writer, value);
}

void spop_set_text(struct spop_writer *writer, enum spop_scope scope, struct spop_text name, struct spop_text text)
{
    spop_set_variable(writer, scope, name, &(struct spop_value){.type = SPOP_STRING, .text = text});
}

void spop_unset_variable(struct spop_writer *writer, enum spop_scope scope, struct spop_text name)
{
    const uint8_t head[] = {ACTION_UNSET, ACTION_UNSET_ARGUMENTS, (uint8_t)scope};
    write_bytes(writer, head, sizeof(head));
    spop_write_text(writer, name);
}
