/* SPDX-License-Identifier: MIT */
/* Rules from text to their parts. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/rule.h"
#include "slotd/text.h"

#define RULE_MAX_SHOWN 60 /* bytes of a word in a message */

const char *rule_word_text(enum rule_word word)
{
    static const char *const words[RULE_N_WORDS] = {
        [RULE_HOST] = "Host",
        [RULE_HOST_REGEXP] = "HostRegexp",
        [RULE_METHOD] = "Method",
        [RULE_PATH] = "Path",
        [RULE_PATH_STRIP] = "PathStrip",
        [RULE_PATH_STRIP_REGEX] = "PathStripRegex",
        [RULE_PATH_PREFIX] = "PathPrefix",
        [RULE_PATH_PREFIX_STRIP] = "PathPrefixStrip",
        [RULE_PATH_PREFIX_STRIP_REGEX] = "PathPrefixStripRegex",
        [RULE_HEADERS] = "Headers",
        [RULE_HEADERS_REGEXP] = "HeadersRegexp",
        [RULE_QUERY] = "Query",
        [RULE_ADD_PREFIX] = "AddPrefix",
        [RULE_REPLACE_PATH] = "ReplacePath",
        [RULE_REPLACE_PATH_REGEX] = "ReplacePathRegex",
    };
    return words[word];
}

static char *trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r\n\v\f", text[len - 1])) {
        text[--len] = '\0';
    }
    return text + strspn(text, " \t\r\n\v\f");
}

/* The next field that is not empty, as Go's strings.FieldsFunc() has them; NULL at the end. */
static char *next_field(char **rest, const char *separator)
{
    char *field;
    while ((field = strsep(rest, separator)) && !field[0]) {
    }
    return field;
}

static int find_word(char *text, enum rule_word *ret_word, struct buf *why)
{
    const char *word = trim(text);
    for (int i = 0; i < RULE_N_WORDS; i++) {
        if (strcmp(rule_word_text((enum rule_word)i), word) == 0) {
            *ret_word = (enum rule_word)i;
            return 0;
        }
    }
    buf_puts(why, "`");
    text_append_safe(why, word, strlen(word), RULE_MAX_SHOWN);
    buf_puts(why, "` is no matcher; Host, Path or PathPrefix would be one");
    return SLOTD_E_PARSE;
}

/* What stands behind the word: colons in a row are one, as where Traefik splits at them and joins again. */
static char *join_values(char *rest)
{
    struct buf joined = BUF_INIT;
    char *field;
    while ((field = next_field(&rest, ":"))) {
        buf_printf(&joined, "%s%s", joined.len > 0 ? ":" : "", field);
    }
    return joined.len > 0 ? buf_steal(&joined) : mem_strdup("");
}

static int parse_part(char *text, struct rule_part *part, struct buf *why)
{
    char *word = next_field(&text, ":");
    int err = find_word(word ? word : (char[]){""}, &part->word, why);
    if (err) {
        return err;
    }
    cleanup_free char *values = join_values(text);
    char *rest = values;
    size_t capacity = 0;
    char *value;
    while ((value = next_field(&rest, ","))) {
        MEM_GROW(part->values, capacity, part->n_values + 1);
        part->values[part->n_values++] = mem_strdup(trim(value));
    }
    if (part->n_values == 0) {
        buf_printf(why, "%s has no value", rule_word_text(part->word));
        return SLOTD_E_PARSE;
    }
    return 0;
}

int rule_parse(const char *text, struct rule **ret_rule, struct buf *why)
{
    cleanup_free char *copy = mem_strdup(text);
    struct rule *rule = MEM_NEW(struct rule);
    char *rest = copy;
    size_t capacity = 0;
    int err = 0;
    char *part;
    while (!err && (part = next_field(&rest, ";"))) {
        MEM_GROW(rule->parts, capacity, rule->n_parts + 1);
        rule->parts[rule->n_parts] = (struct rule_part){0};
        err = parse_part(part, &rule->parts[rule->n_parts++], why);
    }
    if (!err && rule->n_parts == 0) {
        buf_puts(why, "it is empty");
        err = SLOTD_E_PARSE;
    }
    if (err) {
        rule_free(rule);
        return err;
    }
    *ret_rule = rule;
    return 0;
}

void rule_free(struct rule *rule)
{
    if (!rule) {
        return;
    }
    for (size_t i = 0; i < rule->n_parts; i++) {
        for (size_t v = 0; v < rule->parts[i].n_values; v++) {
            free(rule->parts[i].values[v]);
        }
        free(rule->parts[i].values);
    }
    free(rule->parts);
    free(rule);
}
