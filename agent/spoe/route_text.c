/* SPDX-License-Identifier: MIT */
/* Bytes of requests as Go's net/url and regexp see them. */
#include <string.h>

#include "route_private.h"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t route_utf8_read(const char *text, size_t len, uint32_t *ret_character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = len > 0 ? (unsigned char)text[0] : 0xff;
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || size > len) {
        return 0;
    }
    uint32_t character = size == 1 ? first : first & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if (!is_continuation(text[i])) {
            return 0;
        }
        character = character << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (character < smallest[size] || character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) {
        return 0;
    }
    *ret_character = character;
    return size;
}

size_t route_utf8_span(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        uint32_t character;
        size_t size = (unsigned char)text[at] < 0x80 ? 1 : route_utf8_read(text + at, len - at, &character);
        if (size == 0) {
            break;
        }
        at += size;
    }
    return at;
}

size_t route_utf8_mend(const char *text, size_t len, char *buffer, size_t size)
{
    size_t used = 0;
    for (size_t at = 0; at < len;) {
        size_t good = route_utf8_span(text + at, len - at);
        size_t bad = at + good < len;
        if (good + 3 * bad > size - used) {
            return SIZE_MAX;
        }
        memcpy(buffer + used, text + at, good);
        memcpy(buffer + used + good, "\xef\xbf\xbd", 3 * bad);
        used += good + 3 * bad;
        at += good + bad;
    }
    return used;
}

size_t route_utf8_offset(const char *text, size_t len, size_t mended)
{
    size_t at = 0;
    while (at < len && mended > 0) {
        uint32_t character;
        size_t size = route_utf8_read(text + at, len - at, &character);
        size_t shown = size > 0 ? size : 3;
        mended -= shown < mended ? shown : mended;
        at += size > 0 ? size : 1;
    }
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t route_unescape(const char *text, size_t len, bool is_query, char *buffer)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return SIZE_MAX;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        buffer[used++] = c;
    }
    return used;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_.~$&+,/:;=@", c));
}

size_t route_escape(const char *text, size_t len, char *buffer, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        bool plain = is_plain(text[i]);
        if (size - used < (plain ? 1U : 3U)) {
            return SIZE_MAX;
        }
        if (plain) {
            buffer[used++] = text[i];
        } else {
            buffer[used++] = '%';
            buffer[used++] = digits[(unsigned char)text[i] >> 4];
            buffer[used++] = digits[(unsigned char)text[i] & 15];
        }
    }
    return used;
}

bool route_is_escaped(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_plain(text[i]) && (text[i] == '\0' || !strchr("!'()*[]%", text[i]))) {
            return false;
        }
    }
    return true;
}

/* The end of the path without its last element. */
static size_t without_last(const char *path, size_t len)
{
    while (len > 0 && path[--len] != '/') {
    }
    return len;
}

size_t route_clean(char *path, size_t len)
{
    bool has_last_slash = len > 0 && path[len - 1] == '/';
    size_t used = 0;
    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && path[end] != '/') {
            end++;
        }
        size_t size = end - at;
        bool is_parent = size == 2 && memcmp(path + at, "..", 2) == 0;
        if (is_parent) {
            used = without_last(path, used);
        } else if (size > 0 && !(size == 1 && path[at] == '.')) {
            path[used++] = '/';
            memmove(path + used, path + at, size);
            used += size;
        }
        at = end + 1;
    }
    if (used == 0 || has_last_slash) {
        path[used++] = '/';
    }
    return used;
}

bool route_equal_caseless(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len) {
        return false;
    }
    for (size_t i = 0; i < a_len; i++) {
        unsigned char x = (unsigned char)a[i];
        unsigned char y = (unsigned char)b[i];
        x = (unsigned char)(x >= 'A' && x <= 'Z' ? x | 0x20 : x);
        y = (unsigned char)(y >= 'A' && y <= 'Z' ? y | 0x20 : y);
        if (x != y) {
            return false;
        }
    }
    return true;
}
