/* SPDX-License-Identifier: MIT */
/* The language of routing rules: Traefik 1.7's `Host:a,b;PathPrefix:/x`. Pure. */
#ifndef SLOTD_RULE_H
#define SLOTD_RULE_H

#include <stddef.h>

#include "slotd/buf.h"

enum rule_word {
    RULE_HOST,
    RULE_HOST_REGEXP,
    RULE_METHOD,
    RULE_PATH,
    RULE_PATH_STRIP,
    RULE_PATH_STRIP_REGEX,
    RULE_PATH_PREFIX,
    RULE_PATH_PREFIX_STRIP,
    RULE_PATH_PREFIX_STRIP_REGEX,
    RULE_HEADERS,
    RULE_HEADERS_REGEXP,
    RULE_QUERY,
    /* What follows changes the request, and matches every one. */
    RULE_ADD_PREFIX,
    RULE_REPLACE_PATH,
    RULE_REPLACE_PATH_REGEX,
    RULE_N_WORDS
};

/* One matcher or modifier: all of a rule's must hold, and of its values one. */
struct rule_part {
    enum rule_word word;
    char **values; /* at least one; blanks around them are gone */
    size_t n_values;
};
struct rule {
    struct rule_part *parts; /* in the order of the text */
    size_t n_parts;
};

/* Reads a rule as Traefik 1.7 does: empty parts and values are skipped, and a run of colons counts as one. Returns 0,
 * or SLOTD_E_PARSE with why: an unknown word, one without a value, nothing at all. The caller frees *ret_rule. */
int rule_parse(const char *text, struct rule **ret_rule, struct buf *why);
void rule_free(struct rule *rule);
/* As a rule has it, such as "PathPrefix". */
const char *rule_word_text(enum rule_word word);

#endif
