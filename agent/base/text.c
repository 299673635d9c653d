/* SPDX-License-Identifier: MIT */
/* Checks and conversions of text that comes from outside. */
#include "slotd/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "slotd/error.h"

/* The C library's classes follow the locale; these do not. */
static bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool text_is_alnum(char c)
{
    return text_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int text_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    bool negative = *text == '-';
    const char *c = text + (*text == '-' || *text == '+');
    if (!text_is_digit(*c)) {
        return SLOTD_E_PARSE;
    }
    int64_t value = 0;
    bool overflow = false;
    for (; text_is_digit(*c); c++) {
        int64_t digit = negative ? '0' - *c : *c - '0';
        overflow = overflow || __builtin_mul_overflow(value, (int64_t)10, &value) ||
                   __builtin_add_overflow(value, digit, &value);
    }
    if (*c != '\0') {
        return SLOTD_E_PARSE;
    }
    if (overflow || value < min || value > max) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

int text_parse_bool(const char *text, bool *ret_value)
{
    static const char *const words[2][6] = {
        {"0", "f", "F", "FALSE", "false", "False"},
        {"1", "t", "T", "TRUE", "true", "True"},
    };
    for (size_t value = 0; value < 2; value++) {
        for (size_t i = 0; i < 6; i++) {
            if (strcmp(text, words[value][i]) == 0) {
                *ret_value = value == 1;
                return 0;
            }
        }
    }
    return SLOTD_E_PARSE;
}

int text_parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    const int64_t max = (int64_t)10 * 365 * 24 * 3600000;

    size_t digits = strspn(text, "0123456789");
    char number[24];
    if (digits == 0) {
        return SLOTD_E_PARSE;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].name) != 0) {
            continue;
        }
        if (digits >= sizeof(number)) {
            return -ERANGE;
        }
        memcpy(number, text, digits);
        number[digits] = '\0';
        int64_t value;
        int err = text_parse_int(number, 0, max / units[i].ms, &value);
        if (err == 0) {
            *ret_ms = value * units[i].ms;
        }
        return err;
    }
    return SLOTD_E_PARSE;
}

/* Reads exactly count digits at *text and moves behind them. */
static bool text_take_digits(const char **text, int count, int min, int max, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*text)[i];
        if (!text_is_digit(c)) {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *text += count;
    *ret_value = value;
    return value >= min && value <= max;
}

static bool text_take_char(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

static bool text_take_date_time(const char **text, struct tm *ret_tm)
{
    int year;
    int month;
    if (!text_take_digits(text, 4, 0, 9999, &year) || !text_take_char(text, '-') ||
        !text_take_digits(text, 2, 1, 12, &month) || !text_take_char(text, '-') ||
        !text_take_digits(text, 2, 1, 31, &ret_tm->tm_mday) || !text_take_char(text, 'T') ||
        !text_take_digits(text, 2, 0, 23, &ret_tm->tm_hour) || !text_take_char(text, ':') ||
        !text_take_digits(text, 2, 0, 59, &ret_tm->tm_min) || !text_take_char(text, ':') ||
        !text_take_digits(text, 2, 0, 59, &ret_tm->tm_sec)) {
        return false;
    }
    ret_tm->tm_year = year - 1900;
    ret_tm->tm_mon = month - 1;
    return true;
}

/* A fraction of a second, when there is one: any number of digits, those behind the third count for nothing. */
static bool text_take_fraction(const char **text, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (!text_take_char(text, '.')) {
        return true;
    }
    if (!text_is_digit(**text)) {
        return false;
    }
    for (int scale = 100; text_is_digit(**text); scale /= 10) {
        *ret_ms += (*(*text)++ - '0') * scale;
    }
    return true;
}

static bool text_take_zone(const char **text, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (text_take_char(text, 'Z')) {
        return true;
    }
    int sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes;
    if (!(text_take_char(text, '+') || text_take_char(text, '-')) || !text_take_digits(text, 2, 0, 23, &hours) ||
        !text_take_char(text, ':') || !text_take_digits(text, 2, 0, 59, &minutes)) {
        return false;
    }
    *ret_ms = (int64_t)sign * (hours * 60 + minutes) * 60000;
    return true;
}

int text_parse_time(const char *text, int64_t *ret_ms)
{
    struct tm tm = {0};
    int64_t fraction;
    int64_t zone;
    if (!text_take_date_time(&text, &tm) || !text_take_fraction(&text, &fraction) || !text_take_zone(&text, &zone) ||
        *text != '\0') {
        return SLOTD_E_PARSE;
    }
    int day = tm.tm_mday;
    time_t seconds = timegm(&tm);
    /* timegm() carries a 31st of a shorter month into the next one. */
    if (tm.tm_mday != day) {
        return SLOTD_E_PARSE;
    }
    *ret_ms = (int64_t)seconds * 1000 + fraction - zone;
    return 0;
}

const char *text_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

void text_format_time(int64_t ms, char ret_text[32])
{
    const int64_t first = INT64_C(-62167219200000); /* 0000-01-01: what four digits of a year can say */
    const int64_t last = INT64_C(253402300799999);  /* 9999-12-31 */
    ms = ms < first ? first : ms > last ? last : ms;
    int64_t millis = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - millis) / 1000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    /* glibc's %Y has no leading zeros. */
    char rest[20];
    (void)strftime(rest, sizeof(rest), "-%m-%dT%H:%M:%S", &tm);
    unsigned year = (unsigned)(tm.tm_year + 1900);
    (void)snprintf(ret_text, 32, "%04u%s.%03uZ", year % 10000, rest, (unsigned)millis);
}

/* Decodes the UTF-8 sequence of 2 to 4 bytes at text. Returns its length, or 0 when it is not valid. */
static size_t text_decode_utf8(const unsigned char *text, size_t len, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || size > len) {
        return 0;
    }
    uint32_t code = text[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3fU);
    }
    if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return 0;
    }
    *ret_code = code;
    return size;
}

/* What a reader cannot see or a terminal obeys: controls, marks of direction, line separators, joiners, private use,
 * tags. */
static bool text_is_shown(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},      {0x180e, 0x180e}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xe000, 0xf8ff},    {0xfdd0, 0xfdef}, {0xfeff, 0xfeff},
        {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code >= hidden[i].first && code <= hidden[i].last) {
            return false;
        }
    }
    return true;
}

/* The length of the character at text when it may be shown as it is, else 0. */
static size_t text_shown_length(const char *text, size_t len)
{
    unsigned char first = (unsigned char)*text;
    if (first < 0x80) {
        return first >= 0x20 && first < 0x7f;
    }
    uint32_t code = 0;
    size_t size = text_decode_utf8((const unsigned char *)text, len, &code);
    return size > 0 && text_is_shown(code) ? size : 0;
}

void text_append_safe(struct buf *buf, const char *text, size_t len, size_t max)
{
    size_t done = 0;
    while (done < len) {
        size_t size = text_shown_length(text + done, len - done);
        if (done + (size ? size : 1) > max) {
            buf_puts(buf, "...");
            return;
        }
        if (size > 0) {
            buf_append(buf, text + done, size);
            done += size;
        } else {
            buf_printf(buf, "\\x%02x", (unsigned char)text[done]);
            done++;
        }
    }
}

size_t text_control_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
        return 2;
    }
    return (at[0] > 0 && at[0] < 0x20) || at[0] == 0x7f;
}

bool text_is_plain(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t size = text_shown_length(text, left);
        if (size == 0) {
            return false;
        }
        text += size;
        left -= size;
    }
    return true;
}

bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_is_ip(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

bool text_is_host_name(const char *text)
{
    enum { MAX_NAME = 253, MAX_LABEL = 63 };
    size_t label = 0;
    size_t len = 0;
    for (; text[len]; len++) {
        char c = text[len];
        if (len >= MAX_NAME) {
            return false;
        }
        if (c == '.') {
            if (label == 0 || text[len - 1] == '-') {
                return false;
            }
            label = 0;
        } else if (text_is_alnum(c) || c == '_' || (c == '-' && label > 0)) {
            if (++label > MAX_LABEL) {
                return false;
            }
        } else {
            return false;
        }
    }
    return label > 0 && text[len - 1] != '-';
}

bool text_is_haproxy_name(const char *text)
{
    enum { MAX_NAME = 250 };
    size_t len = 0;
    for (; text[len]; len++) {
        if (len >= MAX_NAME || !(text_is_alnum(text[len]) || strchr("_-.:", text[len]))) {
            return false;
        }
    }
    return len > 0;
}

bool text_is_map_word(const char *text)
{
    enum { MAX_WORD = 2048 };
    size_t len = 0;
    for (; text[len]; len++) {
        if (len >= MAX_WORD || !(text_is_alnum(text[len]) || strchr("-._~!$&()*+,=:@/?%", text[len]))) {
            return false;
        }
    }
    return len > 0;
}

bool text_is_server_options(const char *text)
{
    enum { MAX_OPTIONS = 1000, MAX_WORDS = 56 };
    size_t words = 0;
    for (size_t i = 0; text[i]; i++) {
        if (i >= MAX_OPTIONS || !(text_is_alnum(text[i]) || strchr(" -._~,:/=+@%()*", text[i]))) {
            return false;
        }
        words += text[i] != ' ' && (i == 0 || text[i - 1] == ' ');
    }
    return words <= MAX_WORDS;
}
