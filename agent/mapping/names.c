/* SPDX-License-Identifier: MIT */
/* Names as Traefik makes them. Unicode by PCRE2's tables, so that no locale is needed. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "mapping_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/table.h"

static pcre2_code *compile(const char *pattern, struct buf *why)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
    if (!compiled) {
        buf_printf(why, "PCRE2 has no Unicode support (error %d)", code);
    }
    return compiled;
}

int names_init(struct mapper *mapper, struct buf *why)
{
    mapper->word = compile("[\\p{L}\\p{N}]", why);
    mapper->lower = compile("(?s).+", why);
    return mapper->word && mapper->lower ? 0 : SLOTD_E_CONFIG;
}

void names_free(struct mapper *mapper)
{
    pcre2_code_free(mapper->word);
    pcre2_code_free(mapper->lower);
}

static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

static bool is_ascii_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char *normalize_ascii(const char *text)
{
    char *result = mem_alloc(strlen(text) + 1);
    size_t len = 0;
    bool gap = false;
    for (const char *c = text; *c; c++) {
        if (!is_ascii_word(*c)) {
            gap = len > 0;
            continue;
        }
        if (gap) {
            result[len++] = '-';
            gap = false;
        }
        result[len++] = *c;
    }
    return result;
}

/* The length of the letter or number that text begins with, 0 when it begins with something else. No more than that one
 * character is shown to PCRE2: it checks the whole of what it gets, which would make long texts slow. */
static size_t word_character_length(const struct mapper *mapper, const char *text, size_t len, pcre2_match_data *match)
{
    unsigned char first = (unsigned char)*text;
    if (first < 0x80) {
        return is_ascii_word(*text);
    }
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    size = size < len ? size : len;
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(match);
    bool found = pcre2_match(mapper->word, (PCRE2_SPTR)text, size, 0, PCRE2_ANCHORED, match, NULL) > 0;
    return found && ends[0] == 0 ? ends[1] : 0;
}

static char *normalize_unicode(const struct mapper *mapper, const char *text)
{
    struct buf result = BUF_INIT;
    bool gap = false;
    size_t len = strlen(text);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    if (!match) {
        abort();
    }
    for (size_t at = 0; at < len;) {
        size_t size = word_character_length(mapper, text + at, len - at, match);
        if (size > 0 && gap && result.len > 0) {
            buf_putc(&result, '-');
        }
        buf_append(&result, text + at, size);
        gap = size == 0;
        at += size > 0 ? size : 1;
    }
    pcre2_match_data_free(match);
    return buf_steal(&result);
}

char *mapper_normalize(const struct mapper *mapper, const char *text)
{
    return is_ascii(text) ? normalize_ascii(text) : normalize_unicode(mapper, text);
}

static char *lower_ascii(const char *text)
{
    char *result = mem_strdup(text);
    for (char *c = result; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return result;
}

char *names_lower(const struct mapper *mapper, const char *text)
{
    if (is_ascii(text)) {
        return lower_ascii(text);
    }
    /* Lower case is at most three times as long in UTF-8. */
    PCRE2_SIZE len = strlen(text) * 3 + 1;
    char *result = mem_alloc(len + 1);
    int count = pcre2_substitute(mapper->lower, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, PCRE2_SUBSTITUTE_EXTENDED,
                                 NULL, NULL, (PCRE2_SPTR) "\\L$0", PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)result, &len);
    if (count < 0) {
        free(result);
        return mem_strdup(text);
    }
    return result;
}

char *names_mark(const char *ascii, const char *name)
{
    return mem_printf("%.*s-%08x", MAPPING_MAX_BACKEND - 9, ascii,
                      (unsigned)(table_hash(0, name, strlen(name)) & 0xffffffffU));
}

char *names_to_ascii(const char *name)
{
    char *result = mem_alloc(strlen(name) + 1);
    size_t len = 0;
    for (const char *c = name; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x80) {
            result[len++] = *c;
        } else if (byte >= 0xc0) {
            /* The first byte of a character; those that follow are passed over. */
            result[len++] = '_';
        }
    }
    if (len > MAPPING_MAX_BACKEND) {
        /* Long names stay apart by a hash of the whole. */
        char *cut = names_mark(result, name);
        free(result);
        return cut;
    }
    return result;
}
