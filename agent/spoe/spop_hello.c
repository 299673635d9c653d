/* SPDX-License-Identifier: MIT */
/* How a SPOP connection begins and ends: HELLO and DISCONNECT frames of both sides. */
#include <string.h>

#include "slotd/spop.h"

#define SPOP_VERSION SPOP_TEXT("2.0")

static bool text_is(struct spop_text text, struct spop_text wanted)
{
    return text.len == wanted.len && memcmp(text.data, wanted.data, wanted.len) == 0;
}

/* The next word of a list with commas, without the blanks around it. False at the end. */
static bool list_next(struct spop_text *list, struct spop_text *ret_word)
{
    if (!list->data) {
        return false;
    }
    const char *comma = memchr(list->data, ',', list->len);
    struct spop_text word = {list->data, comma ? (size_t)(comma - list->data) : list->len};
    *list = comma ? (struct spop_text){comma + 1, list->len - word.len - 1} : (struct spop_text){0};
    while (word.len > 0 && *word.data == ' ') {
        word.data++;
        word.len--;
    }
    while (word.len > 0 && word.data[word.len - 1] == ' ') {
        word.len--;
    }
    *ret_word = word;
    return true;
}

static bool list_has(struct spop_text list, struct spop_text wanted)
{
    struct spop_text word;
    while (list_next(&list, &word)) {
        if (text_is(word, wanted)) {
            return true;
        }
    }
    return false;
}

static bool value_is_number(const struct spop_value *value)
{
    return value->type >= SPOP_INT32 && value->type <= SPOP_UINT64;
}

/* What was said so far; a value that nobody said is SPOP_NULL. */
struct said {
    struct spop_value versions;
    struct spop_value max_frame_size;
    struct spop_value capabilities;
    struct spop_value healthcheck;
    struct spop_value engine_id;
};

/* The value of a key, and the type it must have; NULL for a key that nobody knows. */
static struct spop_value *said_find(struct said *said, struct spop_text key, enum spop_type *ret_type)
{
    const struct {
        struct spop_text key;
        enum spop_type type;
        struct spop_value *value;
    } known[] = {
        {SPOP_TEXT("supported-versions"), SPOP_STRING, &said->versions},
        {SPOP_TEXT("max-frame-size"), SPOP_UINT32, &said->max_frame_size},
        {SPOP_TEXT("capabilities"), SPOP_STRING, &said->capabilities},
        {SPOP_TEXT("healthcheck"), SPOP_BOOL, &said->healthcheck},
        {SPOP_TEXT("engine-id"), SPOP_STRING, &said->engine_id},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (text_is(key, known[i].key)) {
            *ret_type = known[i].type;
            return known[i].value;
        }
    }
    return NULL;
}

static int said_read(struct spop_reader payload, struct said *said)
{
    while (spop_reader_more(&payload)) {
        enum spop_type type = SPOP_NULL;
        struct spop_text key = spop_read_text(&payload);
        struct spop_value value = spop_read_value(&payload);
        struct spop_value *place = payload.failed ? NULL : said_find(said, key, &type);
        if (!place) {
            continue;
        }
        if (value.type != type && !(type == SPOP_UINT32 && value_is_number(&value))) {
            return -SPOP_INVALID;
        }
        *place = value;
    }
    return payload.failed ? -SPOP_INVALID : 0;
}

static int said_judge(const struct said *said)
{
    if (said->versions.type == SPOP_NULL) {
        return -SPOP_NO_VERSION;
    }
    if (!list_has(said->versions.text, SPOP_VERSION)) {
        return -SPOP_BAD_VERSION;
    }
    if (said->max_frame_size.type == SPOP_NULL) {
        return -SPOP_NO_MAX_FRAME_SIZE;
    }
    if (said->max_frame_size.number < SPOP_MAX_FRAME_MIN || said->max_frame_size.number > UINT32_MAX) {
        return -SPOP_BAD_MAX_FRAME_SIZE;
    }
    return said->capabilities.type == SPOP_NULL ? -SPOP_NO_CAPABILITIES : 0;
}

int spop_hello_read(const struct spop_frame *frame, struct spop_hello *ret_hello)
{
    struct said said = {0};
    if (!(frame->flags & SPOP_FIN)) {
        return -SPOP_FRAGMENTED;
    }
    if (frame->type != SPOP_HAPROXY_HELLO || frame->stream_id || frame->frame_id) {
        return -SPOP_INVALID;
    }
    int err = said_read(frame->payload, &said);
    err = err ? err : said_judge(&said);
    if (err) {
        return err;
    }
    *ret_hello = (struct spop_hello){
        .max_frame_size = (uint32_t)said.max_frame_size.number,
        .pipelining = list_has(said.capabilities.text, SPOP_TEXT("pipelining")),
        .healthcheck = said.healthcheck.boolean,
        .engine_id = said.engine_id.type == SPOP_NULL ? SPOP_TEXT("") : said.engine_id.text,
    };
    return 0;
}

int spop_disconnect_read(const struct spop_frame *frame, uint64_t *ret_code)
{
    struct spop_reader payload = frame->payload;
    uint64_t code = SPOP_UNKNOWN;
    while (spop_reader_more(&payload)) {
        struct spop_text key = spop_read_text(&payload);
        struct spop_value value = spop_read_value(&payload);
        if (!payload.failed && text_is(key, SPOP_TEXT("status-code")) && value_is_number(&value)) {
            code = value.number;
        }
    }
    if (payload.failed) {
        return -SPOP_INVALID;
    }
    *ret_code = code;
    return 0;
}

static void write_number(struct spop_writer *writer, struct spop_text key, uint32_t number)
{
    spop_write_text(writer, key);
    spop_write_value(writer, &(struct spop_value){.type = SPOP_UINT32, .number = number});
}

static void write_string(struct spop_writer *writer, struct spop_text key, struct spop_text text)
{
    spop_write_text(writer, key);
    spop_write_value(writer, &(struct spop_value){.type = SPOP_STRING, .text = text});
}

void spop_agent_hello_write(struct spop_writer *writer, uint32_t max_frame_size, bool pipelining)
{
    uint8_t *start = spop_frame_begin(writer, SPOP_AGENT_HELLO, 0, 0);
    write_string(writer, SPOP_TEXT("version"), SPOP_VERSION);
    write_number(writer, SPOP_TEXT("max-frame-size"), max_frame_size);
    write_string(writer, SPOP_TEXT("capabilities"), pipelining ? SPOP_TEXT("pipelining") : SPOP_TEXT(""));
    spop_frame_end(writer, start);
}

void spop_agent_disconnect_write(struct spop_writer *writer, enum spop_code code)
{
    const char *message = spop_code_text(code);
    uint8_t *start = spop_frame_begin(writer, SPOP_AGENT_DISCONNECT, 0, 0);
    write_number(writer, SPOP_TEXT("status-code"), code);
    write_string(writer, SPOP_TEXT("message"), (struct spop_text){message, strlen(message)});
    spop_frame_end(writer, start);
}

const char *spop_code_text(uint64_t code)
{
    static const char *const texts[] = {
        [SPOP_NORMAL] = "normal",
        [SPOP_IO] = "I/O error",
        [SPOP_TIMEOUT] = "a timeout occurred",
        [SPOP_TOO_BIG] = "frame is too big",
        [SPOP_INVALID] = "invalid frame received",
        [SPOP_NO_VERSION] = "version value not found",
        [SPOP_NO_MAX_FRAME_SIZE] = "max-frame-size value not found",
        [SPOP_NO_CAPABILITIES] = "capabilities value not found",
        [SPOP_BAD_VERSION] = "unsupported version",
        [SPOP_BAD_MAX_FRAME_SIZE] = "max-frame-size too big or too small",
        [SPOP_FRAGMENTED] = "fragmentation not supported",
        [SPOP_INTERLACED] = "invalid interlaced frames",
        [SPOP_UNKNOWN_FRAME_ID] = "frame-id not found",
        [SPOP_NO_RESOURCE] = "resource allocation error",
    };
    return code < sizeof(texts) / sizeof(*texts) ? texts[code] : "unknown error";
}
