/* SPDX-License-Identifier: MIT */
/* Rules from their parts to what matches and rewrites, as Traefik 1.7 wires them: of several strips and replacements of
 * one kind the last one counts; a value of a host or a path that is wrong matches nothing, a wrong pair refuses the
 * rule. */
#include <string.h>

#include "route_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define MAX_SHOWN 60

struct compiler {
    struct route_compiled *rule;
    struct route_names query_names; /* variables must differ from those of the queries before */
    struct buf *why;                /* what has no effect */
};

static void say(struct buf *why, enum rule_word word, const char *value, const char *what)
{
    buf_printf(why, "%s%s `", why && why->len > 0 ? "; " : "", rule_word_text(word));
    text_append_safe(why, value, strlen(value), MAX_SHOWN);
    buf_printf(why, "`: %s", what);
}

/* ---- freeing ---- */

void route_groups_free(struct route_groups *groups)
{
    for (size_t i = 0; i <= groups->count && i <= ROUTE_MAX_GROUPS; i++) {
        free(groups->names[i]);
    }
    *groups = (struct route_groups){0};
}

static void matcher_free(struct route_matcher *matcher)
{
    for (size_t i = 0; i < matcher->count; i++) {
        route_template_free(&matcher->values[i].template);
        route_pattern_free(matcher->values[i].pattern);
        free(matcher->values[i].text);
        free(matcher->values[i].name);
    }
    free(matcher->values);
}

static void free_strips(struct route_compiled *rule)
{
    for (size_t i = 0; i < rule->n_strips; i++) {
        free(rule->strips[i]);
    }
    free(rule->strips);
    rule->strips = NULL;
    rule->n_strips = 0;
}

static void free_strip_templates(struct route_compiled *rule)
{
    for (size_t i = 0; i < rule->n_strip_templates; i++) {
        route_template_free(&rule->strip_templates[i]);
    }
    free(rule->strip_templates);
    rule->strip_templates = NULL;
    rule->n_strip_templates = 0;
}

void route_compiled_drop(struct route_compiled *compiled)
{
    if (!compiled || --compiled->refs > 0) {
        return;
    }
    for (size_t i = 0; i < compiled->n_matchers; i++) {
        matcher_free(&compiled->matchers[i]);
    }
    free(compiled->matchers);
    for (size_t i = 0; i < compiled->n_hosts; i++) {
        free(compiled->hosts[i]);
    }
    free(compiled->hosts);
    free(compiled->begin);
    free_strips(compiled);
    free_strip_templates(compiled);
    free(compiled->add);
    free(compiled->replace);
    route_pattern_free(compiled->replace_pattern);
    route_groups_free(&compiled->groups);
    free(compiled->replacement);
    free(compiled->told);
    rule_free(compiled->rule);
    free(compiled);
}

/* ---- matchers ---- */

static struct route_matcher *add_matcher(struct compiler *compiler, enum rule_word word, size_t part, size_t count)
{
    struct route_compiled *rule = compiler->rule;
    MEM_GROW(rule->matchers, rule->matchers_capacity, rule->n_matchers + 1);
    struct route_matcher *matcher = &rule->matchers[rule->n_matchers++];
    *matcher = (struct route_matcher){.word = word, .part = part};
    matcher->values = mem_alloc_array(count, sizeof(*matcher->values));
    return matcher;
}

static struct route_value *add_text(struct route_matcher *matcher, const char *text)
{
    struct route_value *value = &matcher->values[matcher->count++];
    value->text = mem_strdup(text);
    value->len = strlen(text);
    return value;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(((const struct route_value *)a)->text, ((const struct route_value *)b)->text);
}

/* In lower case without a last dot, in order, for bsearch(). */
static void compile_hosts(struct compiler *compiler, const struct rule_part *part, size_t index)
{
    struct route_matcher *matcher = add_matcher(compiler, part->word, index, part->n_values);
    for (size_t i = 0; i < part->n_values; i++) {
        struct route_value *value = add_text(matcher, part->values[i]);
        value->len -= value->len > 1 && value->text[value->len - 1] == '.';
        value->text[value->len] = '\0';
        for (char *c = value->text; *c; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
        }
    }
    qsort(matcher->values, matcher->count, sizeof(*matcher->values), compare_texts);
}

static void compile_methods(struct compiler *compiler, const struct rule_part *part, size_t index)
{
    struct route_matcher *matcher = add_matcher(compiler, part->word, index, part->n_values);
    for (size_t i = 0; i < part->n_values; i++) {
        struct route_value *value = add_text(matcher, part->values[i]);
        for (char *c = value->text; *c; c++) {
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c & ~0x20 : *c);
        }
    }
}

static bool names_meet(const struct route_names *a, const struct route_names *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            if (strcmp(a->names[i], b->names[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A value that is wrong matches nothing, and is told. */
static void compile_templates(struct compiler *compiler, const struct rule_part *part, size_t index,
                              enum route_template_kind kind)
{
    struct route_matcher *matcher = add_matcher(compiler, part->word, index, part->n_values);
    for (size_t i = 0; i < part->n_values; i++) {
        cleanup_buf struct buf what = BUF_INIT;
        struct route_names names = {0};
        struct route_template template = {0};
        int err = route_template_compile(part->values[i], kind, &names, &template, &what);
        if (!err && names_meet(&names, &compiler->query_names)) {
            route_template_free(&template);
            buf_puts(&what, "a query has a variable of the same name");
            err = SLOTD_E_PARSE;
        }
        route_names_free(&names);
        if (err) {
            say(compiler->why, part->word, part->values[i], buf_text(&what));
        } else {
            matcher->values[matcher->count++].template = template;
        }
    }
}

static int compile_query(struct compiler *compiler, const struct rule_part *part, size_t index, const char *text)
{
    cleanup_buf struct buf what = BUF_INIT;
    const char *equals = strchr(text, '=');
    struct route_matcher *matcher = add_matcher(compiler, part->word, index, 1);
    struct route_value *value = &matcher->values[0];
    struct route_names names = {0};
    int err = equals && !strchr(equals + 1, '=') ? 0 : SLOTD_E_PARSE;
    if (err) {
        buf_puts(&what, "it is no KEY=VALUE");
    }
    err = err ? err : route_template_compile(text, TEMPLATE_QUERY, &names, &value->template, &what);
    matcher->count = !err;
    if (!err && names_meet(&names, &compiler->query_names)) {
        buf_puts(&what, "two variables have one name");
        err = SLOTD_E_PARSE;
    }
    if (err) {
        buf_clear(compiler->why);
        say(compiler->why, part->word, text, buf_text(&what));
        route_names_free(&names);
        return err;
    }
    value->name_len = (size_t)(equals - text);
    value->name = mem_strndup(text, value->name_len);
    struct route_names *all = &compiler->query_names;
    MEM_GROW(all->names, all->capacity, all->count + names.count);
    for (size_t i = 0; i < names.count; i++) {
        all->names[all->count++] = names.names[i];
    }
    free(names.names);
    return 0;
}

static int compile_header(struct compiler *compiler, const struct rule_part *part, size_t index, size_t at)
{
    cleanup_buf struct buf what = BUF_INIT;
    cleanup_buf struct buf pattern = BUF_INIT;
    const char *text = part->values[at + 1];
    struct route_value *value = add_text(add_matcher(compiler, part->word, index, 1), text);
    value->name = mem_strdup(part->values[at]);
    value->name_len = strlen(value->name);
    int err = 0;
    if (part->word == RULE_HEADERS_REGEXP) {
        err = route_regex_translate(text, strlen(text), &pattern, NULL, &what);
        err = err ? err : route_pattern_new(&pattern, &value->pattern, &what);
    }
    if (err) {
        buf_clear(compiler->why);
        say(compiler->why, part->word, text, buf_text(&what));
    }
    return err;
}

/* Of one header named twice in a part, the last value counts. */
static bool header_is_last(const struct rule_part *part, size_t at)
{
    for (size_t i = at + 2; i < part->n_values; i += 2) {
        if (strcmp(part->values[i], part->values[at]) == 0) {
            return false;
        }
    }
    return true;
}

static int compile_headers(struct compiler *compiler, const struct rule_part *part, size_t index)
{
    if (part->n_values % 2 != 0) {
        buf_clear(compiler->why);
        say(compiler->why, part->word, part->values[part->n_values - 1], "it takes pairs of a name and a value");
        return SLOTD_E_PARSE;
    }
    int err = 0;
    for (size_t i = 0; !err && i < part->n_values; i += 2) {
        err = header_is_last(part, i) ? compile_header(compiler, part, index, i) : 0;
    }
    return err;
}

/* ---- modifiers ---- */

static int compare_lengths(const void *a, const void *b)
{
    const char *x = *(const char *const *)a;
    const char *y = *(const char *const *)b;
    size_t x_len = strlen(x);
    size_t y_len = strlen(y);
    return x_len != y_len ? (x_len < y_len) - (x_len > y_len) : strcmp(x, y);
}

static void take_strips(struct compiler *compiler, const struct rule_part *part)
{
    struct route_compiled *rule = compiler->rule;
    free_strips(rule);
    rule->strips = mem_alloc_array(part->n_values, sizeof(*rule->strips));
    for (size_t i = 0; i < part->n_values; i++) {
        rule->strips[rule->n_strips++] = mem_strdup(part->values[i]);
    }
}

/* What the matcher has told already is not told again. */
static void take_strip_templates(struct compiler *compiler, const struct rule_part *part)
{
    struct route_compiled *rule = compiler->rule;
    free_strip_templates(rule);
    rule->strip_templates = mem_alloc_array(part->n_values, sizeof(*rule->strip_templates));
    for (size_t i = 0; i < part->n_values; i++) {
        struct route_template *template = &rule->strip_templates[rule->n_strip_templates];
        rule->n_strip_templates += route_template_compile(part->values[i], TEMPLATE_PREFIX, NULL, template, NULL) == 0;
    }
}

static void take_text(char **place, const struct rule_part *part)
{
    free(*place);
    *place = mem_strdup(part->values[part->n_values - 1]);
}

/* `REGEX REPLACEMENT`, the last one; what is wrong with it leaves paths as they are. */
static void take_replacement(struct compiler *compiler, const struct rule_part *part)
{
    struct route_compiled *rule = compiler->rule;
    cleanup_buf struct buf what = BUF_INIT;
    cleanup_buf struct buf pattern = BUF_INIT;
    const char *text = part->values[part->n_values - 1];
    const char *blank = strchr(text, ' ');
    route_pattern_free(rule->replace_pattern);
    rule->replace_pattern = NULL;
    route_groups_free(&rule->groups);
    free(rule->replacement);
    rule->replacement = NULL;
    int err = blank && !strchr(blank + 1, ' ') && blank[1] ? 0 : SLOTD_E_PARSE;
    if (err) {
        buf_puts(&what, "it is not a regular expression, a blank, and a replacement");
    }
    err = err ? err : route_regex_translate(text, (size_t)(blank - text), &pattern, &rule->groups, &what);
    err = err ? err : route_pattern_new(&pattern, &rule->replace_pattern, &what);
    if (err) {
        say(compiler->why, part->word, text, buf_text(&what));
    } else {
        rule->replacement = mem_strdup(blank + 1);
    }
}

/* ---- the rule ---- */

static int compile_queries(struct compiler *compiler, const struct rule_part *part, size_t index)
{
    int err = 0;
    for (size_t i = 0; !err && i < part->n_values; i++) {
        err = compile_query(compiler, part, index, part->values[i]);
    }
    return err;
}

static int compile_part(struct compiler *compiler, const struct rule_part *part, size_t index)
{
    switch (part->word) {
    case RULE_HOST:
        compile_hosts(compiler, part, index);
        return 0;
    case RULE_HOST_REGEXP:
        compile_templates(compiler, part, index, TEMPLATE_HOST);
        return 0;
    case RULE_METHOD:
        compile_methods(compiler, part, index);
        return 0;
    case RULE_PATH:
    case RULE_PATH_STRIP:
    case RULE_PATH_STRIP_REGEX:
        compile_templates(compiler, part, index, TEMPLATE_PATH);
        return 0;
    case RULE_PATH_PREFIX:
    case RULE_PATH_PREFIX_STRIP:
    case RULE_PATH_PREFIX_STRIP_REGEX:
        compile_templates(compiler, part, index, TEMPLATE_PREFIX);
        return 0;
    case RULE_HEADERS:
    case RULE_HEADERS_REGEXP:
        return compile_headers(compiler, part, index);
    case RULE_QUERY:
        return compile_queries(compiler, part, index);
    default:
        return 0;
    }
}

static void take_modifier(struct compiler *compiler, const struct rule_part *part)
{
    switch (part->word) {
    case RULE_PATH_STRIP:
    case RULE_PATH_PREFIX_STRIP:
        take_strips(compiler, part);
        break;
    case RULE_PATH_STRIP_REGEX:
    case RULE_PATH_PREFIX_STRIP_REGEX:
        take_strip_templates(compiler, part);
        break;
    case RULE_ADD_PREFIX:
        take_text(&compiler->rule->add, part);
        break;
    case RULE_REPLACE_PATH:
        take_text(&compiler->rule->replace, part);
        break;
    case RULE_REPLACE_PATH_REGEX:
        take_replacement(compiler, part);
        break;
    default:
        break;
    }
}

static bool word_strips(enum rule_word word)
{
    return word == RULE_PATH_STRIP || word == RULE_PATH_STRIP_REGEX || word == RULE_PATH_PREFIX_STRIP ||
           word == RULE_PATH_PREFIX_STRIP_REGEX;
}

/* The hosts of the matcher Host that names the fewest. */
static void find_hosts(struct route_compiled *rule)
{
    const struct route_matcher *fewest = NULL;
    rule->host_matcher = SIZE_MAX;
    for (size_t i = 0; i < rule->n_matchers; i++) {
        const struct route_matcher *matcher = &rule->matchers[i];
        if (matcher->word == RULE_HOST && (!fewest || matcher->count < fewest->count)) {
            fewest = matcher;
            rule->host_matcher = i;
        }
    }
    rule->hosts = mem_alloc_array(fewest ? fewest->count : 0, sizeof(*rule->hosts));
    for (size_t i = 0; fewest && i < fewest->count; i++) {
        if (i == 0 || strcmp(fewest->values[i].text, fewest->values[i - 1].text) != 0) {
            rule->hosts[rule->n_hosts++] = mem_strdup(fewest->values[i].text);
        }
    }
}

/* The longest beginning that a matcher of paths asks for. */
static void find_begin(struct route_compiled *rule)
{
    const char *longest = "";
    for (size_t i = 0; i < rule->n_matchers; i++) {
        const struct route_matcher *matcher = &rule->matchers[i];
        bool is_path = matcher->count == 1 && (matcher->values[0].template.kind == TEMPLATE_PATH ||
                                               matcher->values[0].template.kind == TEMPLATE_PREFIX);
        const char *begin = is_path ? matcher->values[0].template.begin : NULL;
        if (begin && strlen(begin) > strlen(longest)) {
            longest = begin;
            rule->begin_part = matcher->part;
        }
    }
    rule->begin = mem_strdup(longest);
    rule->begin_len = strlen(longest);
}

int route_compile(const char *text, struct route_compiled **ret_compiled, struct buf *why)
{
    cleanup_buf struct buf what = BUF_INIT;
    struct compiler compiler = {.rule = MEM_NEW(struct route_compiled), .why = &what};
    compiler.rule->refs = 1;
    int err = rule_parse(text, &compiler.rule->rule, &what);
    size_t count = err ? 0 : compiler.rule->rule->n_parts;
    for (size_t i = 0; !err && i < count; i++) {
        struct rule_part *part = &compiler.rule->rule->parts[i];
        if (word_strips(part->word)) {
            qsort(part->values, part->n_values, sizeof(*part->values), compare_lengths);
        }
        take_modifier(&compiler, part);
        err = compile_part(&compiler, part, i);
    }
    route_names_free(&compiler.query_names);
    buf_puts(why, buf_text(&what));
    if (err) {
        route_compiled_drop(compiler.rule);
        return err;
    }
    find_hosts(compiler.rule);
    find_begin(compiler.rule);
    compiler.rule->told = mem_strdup(buf_text(&what));
    *ret_compiled = compiler.rule;
    return 0;
}
