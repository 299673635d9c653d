/* SPDX-License-Identifier: MIT */
/* Regular expressions of Go's regexp (RE2's syntax with Perl's classes), read and written again for PCRE2: what Go does
 * not have is refused, and what PCRE2 means otherwise is spelled out. */
#include <string.h>

#include "route_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define MAX_DEPTH 100
#define MAX_REPEAT 1000 /* Go's */
#define NO_ATOM SIZE_MAX

struct translator {
    const char *at;
    const char *end;
    struct buf *out;
    struct route_groups *groups;
    size_t n_groups;
    size_t opened[MAX_DEPTH]; /* where in out each open group begins */
    size_t depth;
    size_t atom;     /* where in out begins what a repetition would repeat, or NO_ATOM */
    bool is_width_0; /* that is an assertion */
    bool repeats;    /* that is a repetition */
    const char *complaint;
};

static bool complain(struct translator *t, const char *complaint)
{
    t->complaint = t->complaint ? t->complaint : complaint;
    return false;
}

static bool begins(const struct translator *t, const char *text)
{
    return (size_t)(t->end - t->at) >= strlen(text) && memcmp(t->at, text, strlen(text)) == 0;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void put_character(struct translator *t, uint32_t character)
{
    if (character < 0x80 && is_alnum((char)character)) {
        buf_putc(t->out, (char)character);
    } else {
        buf_printf(t->out, "\\x{%x}", character);
    }
}

static void begin_atom(struct translator *t)
{
    t->atom = t->out->len;
    t->is_width_0 = false;
    t->repeats = false;
}

/* ---- escapes ---- */

static bool read_hex(struct translator *t, uint32_t *ret_character)
{
    bool is_braced = t->at < t->end && *t->at == '{';
    t->at += is_braced;
    uint32_t value = 0;
    size_t count = 0;
    while (t->at < t->end && count < (is_braced ? 8U : 2U)) {
        const char *digits = "0123456789abcdef";
        const char *digit = *t->at ? strchr(digits, *t->at >= 'A' && *t->at <= 'F' ? *t->at + 32 : *t->at) : NULL;
        if (!digit) {
            break;
        }
        value = value * 16 + (uint32_t)(digit - digits);
        count++;
        t->at++;
    }
    bool is_closed = !is_braced || (t->at < t->end && *t->at++ == '}');
    if (!is_closed || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) || count < (is_braced ? 1U : 2U)) {
        return complain(t, "an escape \\x that is none");
    }
    *ret_character = value;
    return true;
}

static bool read_octal(struct translator *t, char first, uint32_t *ret_character)
{
    if (first != '0' && !(t->at < t->end && *t->at >= '0' && *t->at <= '7')) {
        return complain(t, "a back-reference");
    }
    uint32_t value = (uint32_t)(first - '0');
    for (int i = 0; i < 2 && t->at < t->end && *t->at >= '0' && *t->at <= '7'; i++) {
        value = value * 8 + (uint32_t)(*t->at++ - '0');
    }
    *ret_character = value;
    return true;
}

/* One character of the regular expression, as it is or escaped. */
static bool read_character(struct translator *t, uint32_t *ret_character)
{
    static const char letters[] = "aftnrv";
    static const char meant[] = "\a\f\t\n\r\v";
    if (*t->at != '\\') {
        t->at += route_utf8_read(t->at, (size_t)(t->end - t->at), ret_character);
        return true;
    }
    if (++t->at == t->end) {
        return complain(t, "a \\ at its end");
    }
    char c = *t->at++;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (c >= '0' && c <= '7') {
        return read_octal(t, c, ret_character);
    }
    if (c == 'x') {
        return read_hex(t, ret_character);
    }
    if ((unsigned char)c >= 0x80 || (is_alnum(c) && !letter)) {
        return complain(t, c == '8' || c == '9' || c == 'k' || c == 'g' ? "a back-reference"
                                                                        : "an escape that Go does not have");
    }
    *ret_character = (uint32_t)(letter ? meant[letter - letters] : c);
    return true;
}

/* \pN, \p{Greek}, \P{^Lu}. */
static bool put_property(struct translator *t)
{
    const char *start = t->at;
    t->at += 2;
    if (t->at == t->end) {
        return complain(t, "a class \\p without a name");
    }
    if (*t->at++ == '{') {
        t->at += t->at < t->end && *t->at == '^';
        const char *name = t->at;
        while (t->at < t->end && (is_alnum(*t->at) || *t->at == '_')) {
            t->at++;
        }
        if (t->at == name || t->at == t->end || *t->at++ != '}') {
            return complain(t, "a class \\p without a name");
        }
    } else if (!is_alnum(t->at[-1])) {
        return complain(t, "a class \\p without a name");
    }
    buf_append(t->out, start, (size_t)(t->at - start));
    return true;
}

/* \d, \s, \w, \p and their opposites, at t->at. Go's \s does not have the vertical tab. *ret_is_one: there was one. */
static bool put_class_escape(struct translator *t, bool in_brackets, bool *ret_is_one)
{
    char c = (char)(t->at + 1 < t->end && t->at[0] == '\\' ? t->at[1] : '\0');
    *ret_is_one = c != '\0' && strchr("dDsSwWpP", c);
    if (!*ret_is_one) {
        return true;
    }
    if (c == 'p' || c == 'P') {
        return put_property(t);
    }
    t->at += 2;
    if (c == 's') {
        buf_puts(t->out, in_brackets ? "\\t\\n\\f\\r\\x{20}" : "[\\t\\n\\f\\r\\x{20}]");
    } else if (c == 'S') {
        buf_puts(t->out, in_brackets ? "\\S\\x{b}" : "[^\\t\\n\\f\\r\\x{20}]");
    } else {
        buf_printf(t->out, "\\%c", c);
    }
    return true;
}

/* ---- classes ---- */

/* [:alpha:], at t->at. */
static bool put_posix_class(struct translator *t, bool *ret_is_one)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "word",  "xdigit"};
    const char *close = begins(t, "[:") ? memmem(t->at + 2, (size_t)(t->end - t->at) - 2, ":]", 2) : NULL;
    *ret_is_one = close != NULL;
    if (!close) {
        return true;
    }
    const char *name = t->at + 2 + (t->at[2] == '^');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == (size_t)(close - name) && memcmp(names[i], name, strlen(names[i])) == 0) {
            buf_append(t->out, t->at, (size_t)(close + 2 - t->at));
            t->at = close + 2;
            return true;
        }
    }
    return complain(t, "a class that Go does not have");
}

static bool put_range(struct translator *t)
{
    uint32_t low = 0;
    if (!read_character(t, &low)) {
        return false;
    }
    uint32_t high = low;
    if (t->end - t->at >= 2 && t->at[0] == '-' && t->at[1] != ']') {
        t->at++;
        if (!read_character(t, &high)) {
            return false;
        }
    }
    if (high < low) {
        return complain(t, "a range that ends before it begins");
    }
    put_character(t, low);
    if (high != low) {
        buf_putc(t->out, '-');
        put_character(t, high);
    }
    return true;
}

static bool put_class(struct translator *t)
{
    begin_atom(t);
    t->at++;
    buf_putc(t->out, '[');
    if (t->at < t->end && *t->at == '^') {
        t->at++;
        buf_putc(t->out, '^');
    }
    for (bool is_first = true; is_first || t->at == t->end || *t->at != ']'; is_first = false) {
        bool is_one = false;
        if (t->at == t->end) {
            return complain(t, "a [ without its ]");
        }
        if (!put_posix_class(t, &is_one) || (!is_one && !put_class_escape(t, true, &is_one)) ||
            (!is_one && !put_range(t))) {
            return false;
        }
    }
    t->at++;
    buf_putc(t->out, ']');
    return true;
}

/* ---- groups ---- */

static bool open_group(struct translator *t, const char *text, size_t len)
{
    if (t->depth == MAX_DEPTH) {
        return complain(t, "more groups in one another than 100");
    }
    t->opened[t->depth++] = t->out->len;
    buf_append(t->out, text, len);
    t->atom = NO_ATOM;
    t->repeats = false;
    return true;
}

static bool open_capture(struct translator *t, const char *name, size_t len)
{
    if (++t->n_groups > ROUTE_MAX_GROUPS) {
        return complain(t, "more than 100 groups");
    }
    if (t->groups) {
        t->groups->count = t->n_groups;
        t->groups->names[t->n_groups] = name ? mem_strndup(name, len) : NULL;
        for (size_t i = 1; name && i < t->n_groups; i++) {
            if (t->groups->names[i] && strcmp(t->groups->names[i], t->groups->names[t->n_groups]) == 0) {
                return complain(t, "two groups of one name");
            }
        }
    }
    return open_group(t, "(", 1);
}

static bool open_named(struct translator *t)
{
    const char *name = t->at += strlen("(?P<");
    while (t->at < t->end && (is_alnum(*t->at) || *t->at == '_')) {
        t->at++;
    }
    size_t len = (size_t)(t->at - name);
    if (len == 0 || t->at == t->end || *t->at++ != '>') {
        return complain(t, "a group with a name that is none");
    }
    return open_capture(t, name, len);
}

/* (?flags) and (?flags:...). */
static bool open_flags(struct translator *t)
{
    const char *start = t->at;
    t->at += 2;
    bool is_minus = false;
    bool has_flag = false;
    while (t->at < t->end && *t->at && strchr("imsU-", *t->at)) {
        if (*t->at == '-' && is_minus) {
            return complain(t, "a group that Go does not have");
        }
        is_minus = is_minus || *t->at == '-';
        has_flag = *t->at++ != '-';
    }
    if (t->at == t->end || (*t->at != ')' && *t->at != ':') || (is_minus && !has_flag)) {
        return complain(t, "a group that Go does not have (look-around, atomic, recursion)");
    }
    bool is_group = *t->at++ == ':';
    if (is_group) {
        return open_group(t, start, (size_t)(t->at - start));
    }
    buf_append(t->out, start, (size_t)(t->at - start));
    t->atom = NO_ATOM;
    return true;
}

static bool put_open(struct translator *t)
{
    if (begins(t, "(?P<")) {
        return open_named(t);
    }
    if (begins(t, "(?")) {
        return open_flags(t);
    }
    t->at++;
    return open_capture(t, NULL, 0);
}

static bool put_close(struct translator *t)
{
    if (t->depth == 0) {
        return complain(t, "a ) without its (");
    }
    begin_atom(t);
    t->atom = t->opened[--t->depth];
    t->at++;
    buf_putc(t->out, ')');
    return true;
}

/* ---- repetitions ---- */

static bool read_number(const char **at, const char *end, uint32_t *ret_number)
{
    const char *start = *at;
    uint32_t number = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        number = number * 10 + (uint32_t)(**at - '0');
        number = number > MAX_REPEAT ? MAX_REPEAT + 1 : number;
    }
    *ret_number = number;
    return *at > start;
}

/* The length of {n}, {n,} or {n,m} at t->at; 0: it is none, and its brace stands for itself. */
static size_t counted_length(struct translator *t)
{
    const char *at = t->at + 1;
    uint32_t low = 0;
    uint32_t high = 0;
    if (!read_number(&at, t->end, &low)) {
        return 0;
    }
    high = low;
    if (at < t->end && *at == ',') {
        at++;
        high = read_number(&at, t->end, &high) ? high : low;
    }
    if (at >= t->end || *at != '}') {
        return 0;
    }
    if (low > MAX_REPEAT || high > MAX_REPEAT || high < low) {
        (void)complain(t, "a repetition of more than 1000 times, or of none");
    }
    return (size_t)(at + 1 - t->at);
}

static bool put_repetition(struct translator *t, size_t len)
{
    if (t->complaint || t->atom == NO_ATOM) {
        return complain(t, "a repetition of nothing");
    }
    if (t->repeats) {
        return complain(t, "a repetition of a repetition (possessive ones are none of Go's)");
    }
    if (t->is_width_0) { /* PCRE2 repeats no assertion that is not in a group */
        cleanup_free char *assertion = mem_strdup(t->out->data + t->atom);
        t->out->len = t->atom;
        buf_printf(t->out, "(?:%s)", assertion);
        t->is_width_0 = false;
    }
    len += t->at + len < t->end && t->at[len] == '?';
    buf_append(t->out, t->at, len);
    t->at += len;
    t->repeats = true;
    return true;
}

/* ---- all of it ---- */

static bool put_quoted(struct translator *t)
{
    t->at += 2;
    while (t->at < t->end && !begins(t, "\\E")) {
        uint32_t character;
        t->at += route_utf8_read(t->at, (size_t)(t->end - t->at), &character);
        begin_atom(t);
        put_character(t, character);
    }
    t->at += t->at < t->end ? 2 : 0;
    return true;
}

static bool put_assertion(struct translator *t, size_t len)
{
    begin_atom(t);
    t->is_width_0 = true;
    buf_append(t->out, t->at, len);
    t->at += len;
    return true;
}

static bool put_literal(struct translator *t)
{
    uint32_t character = 0;
    begin_atom(t);
    if (!read_character(t, &character)) {
        return false;
    }
    put_character(t, character);
    return true;
}

static bool put_escape(struct translator *t)
{
    char c = (char)(t->at + 1 < t->end ? t->at[1] : '\0');
    bool is_one = false;
    if (c == 'Q') {
        return put_quoted(t);
    }
    if (c != '\0' && strchr("AbBz", c)) {
        return put_assertion(t, 2);
    }
    begin_atom(t);
    if (!put_class_escape(t, false, &is_one)) {
        return false;
    }
    return is_one || put_literal(t);
}

static bool put_next(struct translator *t)
{
    size_t counted;
    switch (*t->at) {
    case '(':
        return put_open(t);
    case ')':
        return put_close(t);
    case '[':
        return put_class(t);
    case '\\':
        return put_escape(t);
    case '^':
    case '$':
        return put_assertion(t, 1);
    case '.':
        begin_atom(t);
        buf_putc(t->out, *t->at++);
        return true;
    case '|':
        buf_putc(t->out, *t->at++);
        t->atom = NO_ATOM;
        t->repeats = false;
        return true;
    case '*':
    case '+':
    case '?':
        return put_repetition(t, 1);
    case '{':
        counted = counted_length(t);
        return counted > 0 ? put_repetition(t, counted) : put_literal(t);
    default:
        return put_literal(t);
    }
}

int route_regex_translate(const char *regex, size_t len, struct buf *pattern, struct route_groups *groups,
                          struct buf *why)
{
    struct translator t = {.at = regex, .end = regex + len, .out = pattern, .groups = groups, .atom = NO_ATOM};
    bool good = route_utf8_span(regex, len) == len || complain(&t, "bytes that are no UTF-8");
    while (good && t.at < t.end) {
        good = put_next(&t);
    }
    if (good && t.depth > 0) {
        good = complain(&t, "a ( without its )");
    }
    if (!good) {
        buf_printf(why, "its regular expression has %s", t.complaint);
    }
    return good ? 0 : SLOTD_E_PARSE;
}
