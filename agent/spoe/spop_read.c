/* SPDX-License-Identifier: MIT */
/* Reads SPOP: a cursor with an error that stays, frames and messages. */
#include <endian.h>
#include <string.h>

#include "slotd/spop.h"

struct spop_reader spop_reader_over(const void *data, size_t len)
{
    return (struct spop_reader){.at = data, .end = (const uint8_t *)data + len};
}

bool spop_reader_more(const struct spop_reader *reader)
{
    return !reader->failed && reader->at < reader->end;
}

static void reader_fail(struct spop_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
}

/* The next len bytes, or NULL. */
static const uint8_t *reader_take(struct spop_reader *reader, uint64_t len)
{
    if (reader->failed || len > (uint64_t)(reader->end - reader->at)) {
        reader_fail(reader);
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += len;
    return taken;
}

uint8_t spop_read_byte(struct spop_reader *reader)
{
    const uint8_t *byte = reader_take(reader, 1);
    return byte ? *byte : 0;
}

/* Behind the first byte each one adds 7 bits, to what lies above them: the eighth stands for 1 there. */
static uint64_t read_varint_rest(struct spop_reader *reader, uint64_t value)
{
    for (unsigned shift = 4; shift <= 60; shift += 7) {
        const uint8_t *byte = reader_take(reader, 1);
        if (!byte) {
            return 0;
        }
        if (*byte > UINT64_MAX >> shift || ((uint64_t)*byte << shift) > UINT64_MAX - value) {
            break;
        }
        value += (uint64_t)*byte << shift;
        if (*byte < 128) {
            return value;
        }
    }
    reader_fail(reader);
    return 0;
}

uint64_t spop_read_varint(struct spop_reader *reader)
{
    uint8_t first = spop_read_byte(reader);
    return first < 240 ? first : read_varint_rest(reader, first);
}

static struct spop_text read_bytes(struct spop_reader *reader, uint64_t len)
{
    const uint8_t *data = reader_take(reader, len);
    return data ? (struct spop_text){(const char *)data, len} : SPOP_TEXT("");
}

struct spop_text spop_read_text(struct spop_reader *reader)
{
    uint64_t len = spop_read_varint(reader);
    return read_bytes(reader, len);
}

/* HAProxy writes a negative INT32 with 64 bits; one of 32 is the same number. */
static bool number_fits(enum spop_type type, uint64_t number)
{
    switch (type) {
    case SPOP_UINT32:
        return number <= UINT32_MAX;
    case SPOP_INT32:
        return number <= UINT32_MAX || (int64_t)number >= INT32_MIN;
    default:
        return true;
    }
}

static void read_number(struct spop_reader *reader, struct spop_value *value)
{
    value->number = spop_read_varint(reader);
    if (!number_fits(value->type, value->number)) {
        reader_fail(reader);
    } else if (value->type == SPOP_INT32) {
        value->number = (uint64_t)(int64_t)(int32_t)(uint32_t)value->number;
    }
}

static void read_data(struct spop_reader *reader, uint8_t first, struct spop_value *value)
{
    switch (value->type) {
    case SPOP_NULL:
        return;
    case SPOP_BOOL:
        value->boolean = first & 0x10;
        return;
    case SPOP_INT32:
    case SPOP_UINT32:
    case SPOP_INT64:
    case SPOP_UINT64:
        read_number(reader, value);
        return;
    case SPOP_IPV4:
        value->text = read_bytes(reader, 4);
        return;
    case SPOP_IPV6:
        value->text = read_bytes(reader, 16);
        return;
    case SPOP_STRING:
    case SPOP_BINARY:
        value->text = spop_read_text(reader);
        return;
    default:
        reader_fail(reader);
    }
}

struct spop_value spop_read_value(struct spop_reader *reader)
{
    uint8_t first = spop_read_byte(reader);
    struct spop_value value = {.type = first & 0x0f, .text = SPOP_TEXT("")};
    read_data(reader, first, &value);
    return reader->failed ? (struct spop_value){.type = SPOP_NULL, .text = SPOP_TEXT("")} : value;
}

static uint32_t read_word(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return be32toh(word);
}

int spop_frame_read(const void *data, size_t len, size_t max, struct spop_frame *ret_frame)
{
    if (len < SPOP_LENGTH_SIZE) {
        return 0;
    }
    uint32_t length = read_word(data);
    if (length > max) {
        return -SPOP_TOO_BIG;
    }
    if (length < SPOP_FRAME_MIN) {
        return -SPOP_INVALID;
    }
    if (len - SPOP_LENGTH_SIZE < length) {
        return 0;
    }
    const uint8_t *bytes = (const uint8_t *)data + SPOP_LENGTH_SIZE;
    struct spop_frame frame = {.type = bytes[0], .flags = read_word(bytes + 1), .size = SPOP_LENGTH_SIZE + length};
    frame.payload = spop_reader_over(bytes + 5, length - 5);
    frame.stream_id = spop_read_varint(&frame.payload);
    frame.frame_id = spop_read_varint(&frame.payload);
    if (frame.payload.failed) {
        return -SPOP_INVALID;
    }
    *ret_frame = frame;
    return 1;
}

bool spop_message_read(struct spop_reader *payload, struct spop_message *ret_message)
{
    if (!spop_reader_more(payload)) {
        return false;
    }
    ret_message->name = spop_read_text(payload);
    ret_message->argument_count = spop_read_byte(payload);
    for (size_t i = 0; i < ret_message->argument_count && !payload->failed; i++) {
        ret_message->arguments[i].name = spop_read_text(payload);
        ret_message->arguments[i].value = spop_read_value(payload);
    }
    return !payload->failed;
}

const struct spop_value *spop_message_find(const struct spop_message *message, struct spop_text name)
{
    for (size_t i = 0; i < message->argument_count; i++) {
        const struct spop_argument *argument = &message->arguments[i];
        if (argument->name.len == name.len && memcmp(argument->name.data, name.data, name.len) == 0) {
            return &argument->value;
        }
    }
    return NULL;
}
