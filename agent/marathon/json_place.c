/* SPDX-License-Identifier: MIT */
/* Typed reads from a JSON document, with the path of the first thing that is wrong. */
#include "json_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define PLACE_MAX_KEY 100 /* bytes of a member's name that a message shows */
#define REPLACEMENT "\xef\xbf\xbd"

/* ---- documents ---- */

/* The end of the string that begins behind a quotation mark: its closing mark, or end. */
static const char *string_end(const char *at, const char *end, bool *ret_nul)
{
    while (at < end && *at != '"') {
        if (*at == '\\' && end - at > 5 && memcmp(at + 1, "u0000", 5) == 0) {
            *ret_nul = true;
        }
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    }
    return at;
}

/* json-c cuts a member's name at an escaped NUL, which would make it another name. */
static bool document_has_nul_in_name(const char *json, size_t len)
{
    const char *end = json + len;
    for (const char *at = memchr(json, '"', len); at; at = memchr(at, '"', (size_t)(end - at))) {
        bool nul = false;
        at = string_end(at + 1, end, &nul);
        at += at < end ? 1 : 0;
        const char *next = at;
        while (nul && next < end && strchr(" \t\r\n", *next)) {
            next++;
        }
        if (nul && next < end && *next == ':') {
            return true;
        }
    }
    return false;
}

static int document_check(const char *json, size_t len, struct buf *why)
{
    if (memchr(json, '\0', len)) {
        buf_puts(why, "no valid JSON: a NUL byte in it");
        return SLOTD_E_PARSE;
    }
    if (memmem(json, len, "\\u0000", 6) && document_has_nul_in_name(json, len)) {
        buf_puts(why, "a member's name without NUL expected, NUL found in one");
        return SLOTD_E_TYPE;
    }
    return 0;
}

int json_document_parse(const char *json, size_t len, struct json_object **ret_document, struct buf *why)
{
    if (len > INT32_MAX) {
        buf_puts(why, "the JSON document is larger than 2 GiB");
        return SLOTD_E_LIMIT;
    }
    int err = document_check(json, len, why);
    if (err) {
        return err;
    }
    struct json_tokener *tokener = json_tokener_new_ex(MARATHON_MAX_DEPTH);
    if (!tokener) {
        abort();
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *document = json_tokener_parse_ex(tokener, json, (int)len);
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        /* A number or word alone is only known to be complete by what stands behind it. */
        document = json_tokener_parse_ex(tokener, "\n", 1);
    }
    enum json_tokener_error failure = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (failure == json_tokener_success) {
        *ret_document = document;
        return 0;
    }
    json_object_put(document);
    if (failure == json_tokener_error_depth) {
        buf_printf(why, "JSON nested at most %d deep expected, deeper found", MARATHON_MAX_DEPTH);
        return SLOTD_E_LIMIT;
    }
    buf_printf(why, "no valid JSON: %s",
               failure == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(failure));
    return SLOTD_E_PARSE;
}

/* ---- places ---- */

struct json_place json_place_document(struct json_reading *reading, struct json_object *document)
{
    return (struct json_place){.reading = reading, .value = document, .is_there = true, .is_required = true};
}

struct json_place json_place_member(const struct json_place *above, const char *key)
{
    struct json_place place = {.reading = above->reading, .above = above, .key = key};
    place.is_there = json_object_object_get_ex(above->value, key, &place.value);
    return place;
}

struct json_place json_place_element(const struct json_place *above, size_t index)
{
    struct json_place place = {
        .reading = above->reading, .above = above, .index = index, .is_there = true, .is_required = true};
    place.value = json_object_array_get_idx(above->value, index);
    return place;
}

static void place_append_path(const struct json_place *place, struct buf *path)
{
    if (!place->above) {
        return;
    }
    place_append_path(place->above, path);
    if (!place->key) {
        buf_printf(path, "[%zu]", place->index);
        return;
    }
    if (path->len > 0) {
        buf_putc(path, '.');
    }
    text_append_safe(path, place->key, strlen(place->key), PLACE_MAX_KEY);
}

/* The first failure of a reading is the one that is told. */
void json_place_fail(const struct json_place *place, int err, const char *expected, const char *found)
{
    if (place->reading->err) {
        return;
    }
    place->reading->err = err;
    cleanup_buf struct buf path = BUF_INIT;
    place_append_path(place, &path);
    buf_printf(place->reading->why, "%s%s%s expected, %s found", buf_text(&path), path.len > 0 ? ": " : "", expected,
               found);
}

static const char *place_found(const struct json_place *place)
{
    if (!place->is_there) {
        return "nothing";
    }
    switch (json_object_get_type(place->value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "boolean";
    case json_type_double:
        return "number";
    case json_type_int:
        return "integer";
    case json_type_object:
        return "object";
    case json_type_array:
        return "array";
    case json_type_string:
        return "string";
    }
    return "something else";
}

/* Whether there is a value of that type to be read; another type is a failure. */
static bool place_holds(const struct json_place *place, enum json_type type, const char *expected)
{
    if (place->reading->err || (!place->value && !place->is_required)) {
        return false;
    }
    if (place->value && json_object_is_type(place->value, type)) {
        return true;
    }
    json_place_fail(place, SLOTD_E_TYPE, expected, place_found(place));
    return false;
}

bool json_place_is_object(const struct json_place *place)
{
    return place_holds(place, json_type_object, "object");
}

size_t json_place_count(const struct json_place *place)
{
    return place_holds(place, json_type_array, "array") ? json_object_array_length(place->value) : 0;
}

bool json_place_flag(const struct json_place *place)
{
    return place_holds(place, json_type_boolean, "boolean") && json_object_get_boolean(place->value);
}

/* ---- numbers ---- */

static int64_t place_bounded(const struct json_place *place, int64_t max, int64_t absent, const char *expected)
{
    if (!place_holds(place, json_type_int, expected)) {
        return absent;
    }
    int64_t value = json_object_get_int64(place->value);
    if (value < 0 || value > max) {
        char found[32];
        snprintf(found, sizeof(found), "%" PRId64, value);
        json_place_fail(place, SLOTD_E_TYPE, expected, found);
        return absent;
    }
    return value;
}

int64_t json_place_integer(const struct json_place *place, int64_t absent)
{
    return place_bounded(place, INT32_MAX, absent, "integer 0..2147483647");
}

int32_t json_place_port(const struct json_place *place)
{
    return (int32_t)place_bounded(place, UINT16_MAX, 0, "integer 0..65535");
}

/* ---- text ---- */

/* The length of the valid UTF-8 sequence at text, or 0: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t utf8_length(const unsigned char *text, size_t len)
{
    unsigned char first = text[0];
    if (first < 0x80) {
        return 1;
    }
    size_t need = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || len < need) {
        return 0;
    }
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < need; i++) {
        if (text[i] < low || text[i] > high) {
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return need;
}

char *json_text_copy(const char *text, size_t len)
{
    struct buf copy = BUF_INIT;
    buf_reserve(&copy, len);
    size_t begin = 0;
    size_t at = 0;
    while (at < len) {
        size_t size = utf8_length((const unsigned char *)text + at, len - at);
        if (size == 0) {
            buf_append(&copy, text + begin, at - begin);
            buf_puts(&copy, REPLACEMENT);
            begin = at + 1;
        }
        at += size > 0 ? size : 1;
    }
    buf_append(&copy, text + begin, len - begin);
    return buf_steal(&copy);
}

char *json_place_text(const struct json_place *place)
{
    if (!place_holds(place, json_type_string, "string")) {
        return mem_strdup("");
    }
    const char *text = json_object_get_string(place->value);
    size_t len = (size_t)json_object_get_string_len(place->value);
    if (memchr(text, '\0', len)) {
        json_place_fail(place, SLOTD_E_TYPE, "string without NUL", "NUL");
        return mem_strdup("");
    }
    return json_text_copy(text, len);
}

char *json_place_required_text(const struct json_place *place)
{
    struct json_place required = *place;
    required.is_required = true;
    return json_place_text(&required);
}

char *json_place_id(const struct json_place *place)
{
    char *id = json_place_required_text(place);
    if (id[0] == '\0') {
        json_place_fail(place, SLOTD_E_TYPE, "nonempty string", "\"\"");
    } else if (strlen(id) > MARATHON_MAX_ID_BYTES) {
        char found[32];
        snprintf(found, sizeof(found), "%zu", strlen(id));
        json_place_fail(place, SLOTD_E_LIMIT, "string of at most 2048 bytes", found);
    }
    return id;
}
