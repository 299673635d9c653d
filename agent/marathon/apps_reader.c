/* SPDX-License-Identifier: MIT */
/* Splits an answer of the form {..., "apps": [ {...}, ... ], ...} into its apps while it arrives, one app in memory at
 * a time. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"

#define READER_MAX_KEY 64

/* Where in the document the next byte stands. */
enum reader_place {
    PLACE_START,      /* before the top-level object */
    PLACE_KEY_OR_END, /* behind '{' */
    PLACE_KEY,        /* behind ',' of the top-level object */
    PLACE_IN_KEY,
    PLACE_COLON,
    PLACE_VALUE,          /* before a member's value */
    PLACE_IN_VALUE,       /* inside a member's value that is not ours */
    PLACE_AFTER_VALUE,    /* behind a member's value */
    PLACE_ELEMENT_OR_END, /* behind '[' of our array */
    PLACE_ELEMENT,        /* behind ',' of our array */
    PLACE_IN_ELEMENT,
    PLACE_AFTER_ELEMENT,
    PLACE_END,
};

struct apps_reader {
    char *member;
    size_t max_app_bytes;
    apps_reader_app *on_app;
    void *arg;
    enum reader_place place;
    struct buf element;
    char key[READER_MAX_KEY];
    size_t key_len;                    /* READER_MAX_KEY and more: too long to be ours */
    char brackets[MARATHON_MAX_DEPTH]; /* open ones of the value or element */
    size_t depth;
    bool in_string, escaped, scalar;
    bool seen; /* the member was there */
    uint64_t bytes;
    int err;
};

struct apps_reader *apps_reader_new(const char *member, size_t max_app_bytes, apps_reader_app *on_app, void *arg)
{
    struct apps_reader *reader = MEM_NEW(struct apps_reader);
    reader->member = mem_strdup(member);
    reader->max_app_bytes = max_app_bytes;
    reader->on_app = on_app;
    reader->arg = arg;
    return reader;
}

void apps_reader_free(struct apps_reader *reader)
{
    if (reader) {
        buf_free(&reader->element);
        free(reader->member);
        free(reader);
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_scalar_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '-' || c == '+' || c == '.';
}

/* ---- one value, ours or not: strings, brackets, scalars ---- */

static void value_begin(struct apps_reader *reader)
{
    reader->depth = 0;
    reader->in_string = reader->escaped = reader->scalar = false;
}

/* Passes over the rest of a string; returns how many bytes it took. Each quotation mark is looked for once, and
 * backslashes only before it, so that no byte is looked at more than twice. */
static size_t value_take_string(struct apps_reader *reader, const char *data, size_t len)
{
    const char *end = data + len;
    const char *at = data;
    if (reader->escaped && len > 0) {
        reader->escaped = false;
        at++;
    }
    const char *quote = at;
    while (at < end) {
        if (quote <= at) {
            quote = memchr(at, '"', (size_t)(end - at));
            quote = quote ? quote : end;
        }
        const char *escape = memchr(at, '\\', (size_t)(quote - at));
        if (!escape) {
            reader->in_string = quote == end;
            return (size_t)(quote - data) + (quote == end ? 0 : 1);
        }
        reader->escaped = escape + 1 == end;
        at = escape + (reader->escaped ? 1 : 2);
        quote = quote < at ? at : quote;
    }
    return len;
}

/* Deeper than an app may be brackets are counted alone: that app's own parser refuses it. */
static void value_open(struct apps_reader *reader, char bracket)
{
    if (reader->depth < MARATHON_MAX_DEPTH) {
        reader->brackets[reader->depth] = bracket;
    }
    reader->depth++;
}

static int value_close(struct apps_reader *reader, char bracket)
{
    char open = bracket == '}' ? '{' : '[';
    if (reader->depth == 0 || (reader->depth <= MARATHON_MAX_DEPTH && reader->brackets[reader->depth - 1] != open)) {
        return SLOTD_E_PARSE;
    }
    reader->depth--;
    return 0;
}

/* Takes bytes of the value up to its end. *ret_taken of them belong to it; *ret_complete: it ends there. */
static int value_take(struct apps_reader *reader, const char *data, size_t len, size_t *ret_taken, bool *ret_complete)
{
    size_t i = 0;
    int err = 0;
    *ret_complete = false;
    while (i < len && !err) {
        char c = data[i];
        if (reader->in_string) {
            i += value_take_string(reader, data + i, len - i);
            *ret_complete = !reader->in_string && reader->depth == 0;
        } else if (reader->scalar && reader->depth == 0 && !is_scalar_byte(c)) {
            *ret_complete = true;
        } else {
            i++;
            if (c == '"') {
                reader->in_string = true;
            } else if (c == '{' || c == '[') {
                value_open(reader, c);
            } else if (c == '}' || c == ']') {
                err = value_close(reader, c);
                *ret_complete = !err && reader->depth == 0;
            } else if (reader->depth == 0) {
                reader->scalar = true;
                err = is_scalar_byte(c) ? 0 : SLOTD_E_PARSE;
            }
        }
        if (*ret_complete) {
            break;
        }
    }
    *ret_taken = i;
    return err;
}

/* ---- the document around our array ---- */

static bool key_is_member(const struct apps_reader *reader)
{
    return reader->key_len == strlen(reader->member) && memcmp(reader->key, reader->member, reader->key_len) == 0;
}

static int reader_take_key_byte(struct apps_reader *reader, char c)
{
    if (c == '"' && !reader->escaped) {
        reader->place = PLACE_COLON;
        return 0;
    }
    reader->escaped = c == '\\' && !reader->escaped;
    if (reader->key_len < READER_MAX_KEY) {
        reader->key[reader->key_len] = c;
    }
    reader->key_len++;
    return 0;
}

static int reader_begin_value(struct apps_reader *reader, char c)
{
    if (!key_is_member(reader)) {
        value_begin(reader);
        reader->place = PLACE_IN_VALUE;
        return 1;
    }
    if (reader->seen || c != '[') {
        return SLOTD_E_PARSE;
    }
    reader->seen = true;
    reader->place = PLACE_ELEMENT_OR_END;
    return 0;
}

static int reader_begin_key(struct apps_reader *reader, char c)
{
    if (c != '"') {
        return SLOTD_E_PARSE;
    }
    reader->key_len = 0;
    reader->escaped = false;
    reader->place = PLACE_IN_KEY;
    return 0;
}

/* A structural byte that is no blank. Returns 0, 1 when the byte begins a value and is to be taken again, or an error.
 */
static int reader_take_byte(struct apps_reader *reader, char c)
{
    switch (reader->place) {
    case PLACE_START:
        reader->place = PLACE_KEY_OR_END;
        return c == '{' ? 0 : SLOTD_E_PARSE;
    case PLACE_KEY_OR_END:
        if (c == '}') {
            reader->place = PLACE_END;
            return 0;
        }
        return reader_begin_key(reader, c);
    case PLACE_KEY:
        return reader_begin_key(reader, c);
    case PLACE_COLON:
        reader->place = PLACE_VALUE;
        return c == ':' ? 0 : SLOTD_E_PARSE;
    case PLACE_VALUE:
        return reader_begin_value(reader, c);
    case PLACE_AFTER_VALUE:
        reader->place = c == ',' ? PLACE_KEY : PLACE_END;
        return c == ',' || c == '}' ? 0 : SLOTD_E_PARSE;
    case PLACE_ELEMENT_OR_END:
    case PLACE_ELEMENT:
        if (c == ']' && reader->place == PLACE_ELEMENT_OR_END) {
            reader->place = PLACE_AFTER_VALUE;
            return 0;
        }
        value_begin(reader);
        buf_clear(&reader->element);
        reader->place = PLACE_IN_ELEMENT;
        return 1;
    case PLACE_AFTER_ELEMENT:
        reader->place = c == ',' ? PLACE_ELEMENT : PLACE_AFTER_VALUE;
        return c == ',' || c == ']' ? 0 : SLOTD_E_PARSE;
    case PLACE_IN_KEY:
    case PLACE_IN_VALUE:
    case PLACE_IN_ELEMENT:
    case PLACE_END:
        break;
    }
    return SLOTD_E_PARSE;
}

/* An element that lies whole in what was fed is passed on from there, without a copy; of one that is too large the
 * beginning alone is kept. */
static int reader_take_element(struct apps_reader *reader, const char *data, size_t len, bool complete)
{
    size_t room = reader->max_app_bytes - reader->element.len;
    len = len < room ? len : room;
    if (complete && reader->element.len == 0) {
        return reader->on_app(reader->arg, data, len);
    }
    buf_append(&reader->element, data, len);
    return complete ? reader->on_app(reader->arg, reader->element.data, reader->element.len) : 0;
}

static int reader_take_value(struct apps_reader *reader, const char *data, size_t len, size_t *ret_taken)
{
    bool ours = reader->place == PLACE_IN_ELEMENT;
    bool complete = false;
    int err = value_take(reader, data, len, ret_taken, &complete);
    if (err) {
        return err;
    }
    if (complete) {
        reader->place = ours ? PLACE_AFTER_ELEMENT : PLACE_AFTER_VALUE;
    }
    return ours ? reader_take_element(reader, data, *ret_taken, complete) : 0;
}

int apps_reader_feed(struct apps_reader *reader, const char *data, size_t len)
{
    size_t i = 0;
    while (!reader->err && i < len) {
        size_t taken = 1;
        if (reader->place == PLACE_IN_VALUE || reader->place == PLACE_IN_ELEMENT) {
            reader->err = reader_take_value(reader, data + i, len - i, &taken);
        } else if (reader->place == PLACE_IN_KEY) {
            reader->err = reader_take_key_byte(reader, data[i]);
        } else if (!is_space(data[i])) {
            int result = reader_take_byte(reader, data[i]);
            taken = result == 1 ? 0 : 1;
            reader->err = result < 0 ? result : 0;
        }
        i += taken;
        reader->bytes += taken;
    }
    return reader->err;
}

int apps_reader_finish(struct apps_reader *reader, struct buf *why)
{
    if (reader->err == SLOTD_E_PARSE) {
        buf_printf(why, "no JSON document of the expected form; it goes wrong at byte %llu",
                   (unsigned long long)reader->bytes);
    } else if (reader->err) {
        buf_puts(why, error_text(reader->err));
    } else if (reader->place != PLACE_END) {
        buf_printf(why, "the JSON document ends too early, after %llu bytes", (unsigned long long)reader->bytes);
        reader->err = SLOTD_E_PARSE;
    } else if (!reader->seen) {
        buf_printf(why, "the JSON document has no list `%s`", reader->member);
        reader->err = SLOTD_E_PARSE;
    }
    return reader->err;
}
