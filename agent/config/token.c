/* SPDX-License-Identifier: MIT */
/* Splits a configuration into tokens as libconfig does. */
#include "token.h"

#include <string.h>

static const char config_token_digits[] = "0123456789";
static const char config_token_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool config_token_is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static bool config_token_is_name(char c)
{
    return config_token_is_one_of(c, config_token_letters) || config_token_is_one_of(c, config_token_digits) ||
           config_token_is_one_of(c, "-_*");
}

static bool config_token_is_number(char c)
{
    return config_token_is_one_of(c, config_token_letters) || config_token_is_one_of(c, config_token_digits) ||
           c == '.';
}

/* How many bytes from start on are in the class. */
static size_t config_token_span(const char *text, size_t len, size_t start, bool (*is_in)(char c))
{
    size_t end = start;
    while (end < len && is_in(text[end])) {
        end++;
    }
    return end - start;
}

static bool config_token_is_blank(char c)
{
    return config_token_is_one_of(c, " \t");
}

static bool config_token_is_not_line_end(char c)
{
    return c != '\n';
}

/* The length of the string whose opening quote is at start, with both quotes; 0 when it has no end. */
static size_t config_token_string_length(const char *text, size_t len, size_t start)
{
    for (size_t i = start + 1; i < len; i++) {
        if (text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            return i + 1 - start;
        }
    }
    return 0;
}

/* The length of `@include "` with the blanks around it, when that stands at start; else 0. */
static size_t config_token_include_length(const char *text, size_t len, size_t start)
{
    static const char word[] = "@include";
    if (start > 0 && text[start - 1] != '\n') {
        return 0;
    }
    size_t at = start + config_token_span(text, len, start, config_token_is_blank);
    if (len - at < sizeof(word) || memcmp(text + at, word, sizeof(word) - 1) != 0) {
        return 0;
    }
    at += sizeof(word) - 1;
    size_t blanks = config_token_span(text, len, at, config_token_is_blank);
    at += blanks;
    return blanks > 0 && at < len && text[at] == '"' ? at + 1 - start : 0;
}

static struct config_token config_token_make_string(const char *text, size_t len, size_t start)
{
    size_t length = config_token_string_length(text, len, start);
    return length > 0 ? (struct config_token){CONFIG_TOKEN_STRING, text + start, length}
                      : (struct config_token){CONFIG_TOKEN_OPEN_STRING, text + start, len - start};
}

static struct config_token config_token_make_include(const char *text, size_t len, size_t start, size_t lead)
{
    size_t length = config_token_string_length(text, len, start + lead - 1);
    return length > 0 ? (struct config_token){CONFIG_TOKEN_INCLUDE, text + start, lead - 1 + length}
                      : (struct config_token){CONFIG_TOKEN_OPEN_STRING, text + start, len - start};
}

static struct config_token config_token_make_comment(const char *text, size_t len, size_t start)
{
    const char *end = memmem(text + start + 2, len - start - 2, "*/", 2);
    return end ? (struct config_token){CONFIG_TOKEN_COMMENT, text + start, (size_t)(end + 2 - (text + start))}
               : (struct config_token){CONFIG_TOKEN_OPEN_COMMENT, text + start, len - start};
}

static struct config_token config_token_make(const char *text, size_t len, size_t start)
{
    const char *at = text + start;
    char next = start + 1 < len ? at[1] : '\0';
    size_t include = config_token_include_length(text, len, start);
    if (include > 0) {
        return config_token_make_include(text, len, start, include);
    }
    if (*at == '"') {
        return config_token_make_string(text, len, start);
    }
    if (*at == '/' && next == '*') {
        return config_token_make_comment(text, len, start);
    }
    if (*at == '#' || (*at == '/' && next == '/')) {
        size_t span = config_token_span(text, len, start, config_token_is_not_line_end);
        return (struct config_token){CONFIG_TOKEN_COMMENT, at, span};
    }
    if (config_token_is_one_of(*at, config_token_letters) || *at == '*') {
        return (struct config_token){CONFIG_TOKEN_NAME, at, config_token_span(text, len, start, config_token_is_name)};
    }
    if (config_token_is_one_of(*at, config_token_digits)) {
        size_t span = config_token_span(text, len, start, config_token_is_number);
        return (struct config_token){CONFIG_TOKEN_NUMBER, at, span};
    }
    if (config_token_is_blank(*at)) {
        return (struct config_token){CONFIG_TOKEN_BLANK, at,
                                     config_token_span(text, len, start, config_token_is_blank)};
    }
    return (struct config_token){config_token_is_one_of(*at, "\r\n\f") ? CONFIG_TOKEN_BLANK : CONFIG_TOKEN_SIGN, at, 1};
}

bool config_token_next(const char *text, size_t len, size_t *position, struct config_token *ret_token)
{
    if (*position >= len) {
        return false;
    }
    *ret_token = config_token_make(text, len, *position);
    *position += ret_token->len;
    return true;
}
