/* SPDX-License-Identifier: MIT */
/* The id of an app whose JSON no parser takes: too deep, or cut where it grew too large. */
#include <string.h>

#include "app_parse.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"

/* The end of the string that begins at json[start], behind its quotation mark; len when it has none. */
static size_t string_end(const char *json, size_t len, size_t start)
{
    size_t i = start;
    while (i < len && json[i] != '"') {
        i += json[i] == '\\' ? 2 : 1;
    }
    return i < len ? i : len;
}

static size_t skip_blanks(const char *json, size_t len, size_t i)
{
    while (i < len && strchr(" \t\r\n", json[i]) && json[i]) {
        i++;
    }
    return i;
}

/* The plain string that follows a colon at or behind json[i]; NULL: something else does. */
static char *read_plain_value(const char *json, size_t len, size_t i)
{
    i = skip_blanks(json, len, i);
    if (i >= len || json[i] != ':') {
        return NULL;
    }
    i = skip_blanks(json, len, i + 1);
    if (i >= len || json[i] != '"') {
        return NULL;
    }
    size_t end = string_end(json, len, i + 1);
    size_t id_len = end - i - 1;
    if (end == len || id_len == 0 || id_len > MARATHON_MAX_ID_BYTES || memchr(json + i + 1, '\\', id_len) ||
        memchr(json + i + 1, '\0', id_len)) {
        return NULL;
    }
    return mem_strndup(json + i + 1, id_len);
}

char *app_scan_id(const char *json, size_t len)
{
    size_t depth = 0;
    char before = '\0'; /* the last byte that is no blank */
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        if (c == '"') {
            size_t end = string_end(json, len, i + 1);
            bool is_key = depth == 1 && (before == '{' || before == ',');
            if (is_key && end - i - 1 == 2 && memcmp(json + i + 1, "id", 2) == 0) {
                return read_plain_value(json, len, end + 1);
            }
            i = end;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
        before = c == ' ' || c == '\t' || c == '\r' || c == '\n' ? before : c;
    }
    return NULL;
}
