/* SPDX-License-Identifier: MIT */
/* The parts of the routing table: patterns, rules as they are matched, and lists of rules by host. */
#ifndef ROUTE_PRIVATE_H
#define ROUTE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/route_table.h"

#define ROUTE_MAX_GROUPS 100   /* capturing groups of a pattern */
#define ROUTE_MAX_HOST 255     /* bytes of a host that Host can name */
#define ROUTE_MAX_SLOW_RUNS 4U /* matches of a decision that may take long */

/* ---- route_text.c ---- */

/* The bytes of the character that text begins with, or 0 when it is no UTF-8, as Go and PCRE2 have it. */
size_t route_utf8_read(const char *text, size_t len, uint32_t *ret_character);
/* The bytes of text that are UTF-8, from its beginning. */
size_t route_utf8_span(const char *text, size_t len);
/* text with U+FFFD for each byte that is no UTF-8, as Go's patterns see it. Returns the length, or SIZE_MAX when it
 * does not fit. */
size_t route_utf8_mend(const char *text, size_t len, char *buffer, size_t size);
/* Where in text the mended one's offset is. */
size_t route_utf8_offset(const char *text, size_t len, size_t mended);
/* Go's url.PathUnescape, or QueryUnescape where a plus is a blank, into a buffer of at least len. Returns the length,
 * or SIZE_MAX: a % without two digits. */
size_t route_unescape(const char *text, size_t len, bool is_query, char *buffer);
/* How Go writes a path into a request. Returns the length, or SIZE_MAX when it does not fit. */
size_t route_escape(const char *text, size_t len, char *buffer, size_t size);
/* Whether every byte may stand in a path as it is, by Go. */
bool route_is_escaped(const char *text, size_t len);
/* Go's path.Clean() of a path that begins with `/`, and keeps a last one. Returns the length. */
size_t route_clean(char *path, size_t len);
bool route_equal_caseless(const char *a, size_t a_len, const char *b, size_t b_len);

/* ---- route_regex.c ---- */

/* Names of groups: names[i] is NULL or what (?P<...>) calls group i. */
struct route_groups {
    char *names[ROUTE_MAX_GROUPS + 1];
    size_t count;
};
void route_groups_free(struct route_groups *groups);
/* Appends to pattern what PCRE2 takes for the regular expression that Go's regexp would compile. Returns 0, or
 * SLOTD_E_PARSE with why for all that Go does not have: look-around, references, possessive and atomic parts,
 * recursion, verbs. groups may be NULL. */
int route_regex_translate(const char *regex, size_t len, struct buf *pattern, struct route_groups *groups,
                          struct buf *why);

/* ---- route_pattern.c ---- */

enum route_match { ROUTE_NO, ROUTE_YES, ROUTE_FAILED /* a limit was met */ };

struct route_pattern; /* of PCRE2, with limits */
/* pattern is one of route_regex_translate()'s. */
int route_pattern_new(const struct buf *pattern, struct route_pattern **ret_pattern, struct buf *why);
void route_pattern_free(struct route_pattern *pattern);
/* In text, which is UTF-8, from start on. ret_offsets (may be NULL): pairs of offsets for the whole and each group;
 * those of a group that did not take part are SIZE_MAX; valid until the next match. */
enum route_match route_pattern_match(const struct route_pattern *pattern, struct route_scratch *scratch,
                                     struct spop_text text, size_t start, const size_t **ret_offsets);
size_t route_pattern_groups(const struct route_pattern *pattern);

enum route_template_kind { TEMPLATE_NONE, TEMPLATE_HOST, TEMPLATE_PATH, TEMPLATE_PREFIX, TEMPLATE_QUERY };
/* gorilla/mux's: text with {name} and {name:regex} in it. */
struct route_template {
    enum route_template_kind kind;
    char *literal; /* without braces; of TEMPLATE_PATH without its last slash; NULL: pattern decides */
    size_t literal_len;
    struct route_pattern *pattern;
    char *begin; /* what all that matches begins with, but for letters' case in a host */
    bool ends_with_slash;
};
struct route_names {
    char **names;
    size_t count, capacity;
};
void route_names_free(struct route_names *names);
/* Returns 0, or a negative error with why. names, which may be NULL, gets the names of the variables. */
int route_template_compile(const char *text, enum route_template_kind kind, struct route_names *names,
                           struct route_template *ret_template, struct buf *why);
void route_template_free(struct route_template *template);
/* *ret_length: how much of text the template takes. */
enum route_match route_template_match(const struct route_template *template, struct route_scratch *scratch,
                                      struct spop_text text, size_t *ret_length);

struct route_scratch {
    void *match;            /* pcre2_match_data */
    void *context;          /* pcre2_match_context */
    void *stack;            /* pcre2_jit_stack */
    unsigned slow_runs;     /* of this decision */
    char *host;             /* ROUTE_MAX_HOST */
    char *path;             /* unescaped; ROUTE_MAX_PATH each, from here on */
    char *mended;           /* path, or a value, for patterns */
    char *value;            /* a query's */
    char *prefix, *written; /* for the verdict */
    char *work, *raw, *out; /* twice that size, for room in front: see route_rewrite.c */
};

/* ---- route_request.c ---- */

/* What matchers look at. */
struct route_subject {
    const struct route_request *request;
    struct route_scratch *scratch;
    struct spop_text host;     /* lower case, without port and last dot; empty: Host matches none */
    struct spop_text raw_host; /* up to the first colon */
    struct spop_text path;     /* unescaped */
    struct spop_text mended;   /* the same for patterns */
    bool is_ascii;
    bool turns_slash; /* a matcher of paths took it with one slash more or less at the end */
};
/* Returns false for a path that no server takes, with why. */
bool route_subject_open(const struct route_request *request, struct route_scratch *scratch,
                        struct route_subject *ret_subject, enum route_verdict_kind *ret_kind, const char **ret_why);
/* The next header; false at the end and at an error, which the reader tells. */
bool route_header_next(struct spop_reader *reader, struct spop_text *ret_name, struct spop_text *ret_value);
/* The first value of that key in a query, unescaped into scratch->value behind `key=`. False: there is none. */
bool route_query_find(const struct route_subject *subject, const char *key, size_t key_len, struct spop_text *ret_text);

/* ---- route_rule.c ---- */

struct route_value {
    struct route_template template; /* of hosts, paths, queries */
    struct route_pattern *pattern;  /* HeadersRegexp */
    char *text;                     /* a method, a host, a prefix, a header's value */
    size_t len;
    char *name; /* of a header, or of a query's key */
    size_t name_len;
};
/* A part that matches, or of a query or of headers one pair of it. */
struct route_matcher {
    enum rule_word word;
    size_t part;
    struct route_value *values; /* one of them has to match */
    size_t count;
};
struct route_compiled {
    unsigned refs;
    struct rule *rule;
    struct route_matcher *matchers;
    size_t n_matchers, matchers_capacity;
    char **hosts; /* one of them it is, in lower case; none: it may be any */
    size_t n_hosts;
    size_t host_matcher; /* which has the hosts; SIZE_MAX: none */
    char *begin;         /* what every path that it matches begins with */
    size_t begin_len;
    size_t begin_part; /* which part says so */
    char **strips;     /* longest first */
    size_t n_strips;
    struct route_template *strip_templates; /* longest first */
    size_t n_strip_templates;
    char *add, *replace;
    struct route_pattern *replace_pattern;
    struct route_groups groups; /* of that */
    char *replacement;
    char *told; /* what of it has no effect; "" */
};
int route_compile(const char *rule, struct route_compiled **ret_compiled, struct buf *why);
/* Drops a reference. */
void route_compiled_drop(struct route_compiled *compiled);

/* ---- route_match.c ---- */

/* skipped: a matcher that is known to match, or SIZE_MAX. *ret_part: which did not match, or could not be judged. */
enum route_match route_rule_match(const struct route_compiled *rule, struct route_subject *subject, size_t skipped,
                                  size_t *ret_part);

/* ---- route_rewrite.c ---- */

/* Fills the path and prefix of a verdict that is SERVE or GUARDED, or makes it NONE or FAILED. */
void route_rewrite(const struct route_compiled *rule, const struct route_subject *subject,
                   struct route_verdict *verdict);
/* Where a request goes whose path has one slash more or less at its end than the rule. */
void route_turn_slash(const struct route_subject *subject, struct route_verdict *verdict);

/* ---- route_trie.c: lists of rules by hash, shared between views ---- */

struct route_rule {
    unsigned refs;
    struct route_entry entry; /* its texts are its own */
    struct access access;
    struct route_compiled *compiled;
};
void route_rule_drop(struct route_rule *rule);
/* Whether a is looked at before b. */
bool route_rule_precedes(const struct route_rule *a, const struct route_rule *b);

struct route_item {
    unsigned refs;
    bool is_list;
};
#define ROUTE_BEGIN 22 /* bytes */
/* A rule, and what keeps most requests from it without a look at it. */
struct route_candidate {
    struct route_rule *rule; /* a reference */
    uint8_t points;
    uint8_t begin_len;
    char begin[ROUTE_BEGIN]; /* of every path that the rule matches */
};
/* In the order in which they are looked at. */
struct route_list {
    struct route_item item;
    uint64_t hash;
    const char *host; /* of all rules, behind them; NULL: of various ones, whose hashes are equal, or of none */
    size_t host_len;
    size_t count;
    struct route_candidate candidates[];
};
/* A new list with the rule, or without one occurrence of it (NULL when none is left); the old one, which may be NULL,
 * stays. host is the one that was hashed, or NULL. */
struct route_list *route_list_add(struct route_list *list, uint64_t hash, const char *host, struct route_rule *rule);
struct route_list *route_list_remove(struct route_list *list, const struct route_rule *rule);
void route_item_hold(struct route_item *item);
void route_item_drop(struct route_item *item);
/* The same for a tree of lists; NULL is the empty one. Drops the old one. */
struct route_item *route_trie_add(struct route_item *root, uint64_t hash, const char *host, struct route_rule *rule);
struct route_item *route_trie_remove(struct route_item *root, uint64_t hash, const struct route_rule *rule);
/* NULL: none. */
const struct route_list *route_trie_find(const struct route_item *root, uint64_t hash);

#endif
