/* SPDX-License-Identifier: MIT */
/* Patterns under limits, and gorilla/mux's templates made of them. A pattern is tried under a small limit first; those
 * that meet it are tried again under a large one, a few times a decision: so no number of patterns holds a thread. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "route_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define QUICK_STEPS 2000U
#define LONG_STEPS 200000U
#define HEAP_KB 1024U
#define STACK_FIRST (32U << 10)
#define STACK_MAX (512U << 10)
#define HEADROOM ROUTE_MAX_PATH

struct route_pattern {
    pcre2_code *code;
    uint32_t groups;
    bool searches; /* the whole match is group 1 */
};

/* ---- scratch ---- */

struct route_scratch *route_scratch_new(void)
{
    struct route_scratch *scratch = MEM_NEW(struct route_scratch);
    scratch->match = pcre2_match_data_create(ROUTE_MAX_GROUPS + 2, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MAX, NULL);
    if (!scratch->context || !scratch->match) {
        abort(); /* as slotd/mem.h does */
    }
    pcre2_set_heap_limit(scratch->context, HEAP_KB);
    if (scratch->stack) {
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    }
    scratch->host = mem_alloc(ROUTE_MAX_HOST + 1);
    scratch->path = mem_alloc(ROUTE_MAX_PATH);
    scratch->mended = mem_alloc(ROUTE_MAX_PATH);
    scratch->value = mem_alloc(2 * ROUTE_MAX_PATH);
    scratch->prefix = mem_alloc(2 * ROUTE_MAX_PATH);
    scratch->written = mem_alloc(ROUTE_MAX_PATH);
    scratch->work = mem_alloc(HEADROOM + ROUTE_MAX_PATH);
    scratch->raw = mem_alloc(HEADROOM + ROUTE_MAX_PATH);
    scratch->out = mem_alloc(HEADROOM + ROUTE_MAX_PATH);
    return scratch;
}

void route_scratch_free(struct route_scratch *scratch)
{
    if (!scratch) {
        return;
    }
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    free(scratch->host);
    free(scratch->path);
    free(scratch->mended);
    free(scratch->value);
    free(scratch->prefix);
    free(scratch->written);
    free(scratch->work);
    free(scratch->raw);
    free(scratch->out);
    free(scratch);
}

/* ---- patterns ---- */

static pcre2_code *compile(const struct buf *pattern, uint32_t options, struct buf *why)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    PCRE2_UCHAR message[128] = "";
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    }
    options |= PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)buf_text(pattern), pattern->len, options, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!compiled) {
        pcre2_get_error_message(code, message, sizeof(message));
        buf_printf(why, "its regular expression is refused: %s", (const char *)message);
    }
    return compiled;
}

/* PCRE2's limit is one for each place where a match may begin. Here it is one for all of them: the search is part of
 * the pattern, which begins where it is told to. */
static pcre2_code *compile_search(const struct buf *pattern, struct buf *why)
{
    cleanup_buf struct buf search = BUF_INIT;
    buf_puts(&search, "(?s:.*?)(");
    buf_append(&search, pattern->data, pattern->len);
    buf_putc(&search, ')');
    return compile(&search, PCRE2_ANCHORED, why);
}

int route_pattern_new(const struct buf *pattern, struct route_pattern **ret_pattern, struct buf *why)
{
    uint32_t options = 0;
    uint32_t groups = 0;
    pcre2_code *compiled = compile(pattern, 0, why);
    if (!compiled) {
        return SLOTD_E_REFUSED;
    }
    pcre2_pattern_info(compiled, PCRE2_INFO_ALLOPTIONS, &options);
    pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &groups);
    bool searches = !(options & PCRE2_ANCHORED);
    if (searches) {
        pcre2_code_free(compiled);
        compiled = compile_search(pattern, why);
    }
    if (!compiled) {
        return SLOTD_E_REFUSED;
    }
    (void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* where it is not allowed, the interpreter does it */
    struct route_pattern *made = MEM_NEW(struct route_pattern);
    *made = (struct route_pattern){.code = compiled, .groups = groups, .searches = searches};
    *ret_pattern = made;
    return 0;
}

void route_pattern_free(struct route_pattern *pattern)
{
    if (pattern) {
        pcre2_code_free(pattern->code);
        free(pattern);
    }
}

size_t route_pattern_groups(const struct route_pattern *pattern)
{
    return pattern->groups;
}

enum route_match route_pattern_match(const struct route_pattern *pattern, struct route_scratch *scratch,
                                     struct spop_text text, size_t start, const size_t **ret_offsets)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.data ? text.data : "");
    size_t searched = pattern->searches ? text.len - start : 0;
    pcre2_set_match_limit(scratch->context, (uint32_t)(QUICK_STEPS + 2 * searched));
    int found =
        pcre2_match(pattern->code, subject, text.len, start, PCRE2_NO_UTF_CHECK, scratch->match, scratch->context);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH && scratch->slow_runs < ROUTE_MAX_SLOW_RUNS) {
        scratch->slow_runs++;
        pcre2_set_match_limit(scratch->context, LONG_STEPS);
        found =
            pcre2_match(pattern->code, subject, text.len, start, PCRE2_NO_UTF_CHECK, scratch->match, scratch->context);
    }
    if (found < 0) {
        return found == PCRE2_ERROR_NOMATCH ? ROUTE_NO : ROUTE_FAILED;
    }
    if (ret_offsets) {
        *ret_offsets = pcre2_get_ovector_pointer(scratch->match) + (pattern->searches ? 2 : 0);
    }
    return ROUTE_YES;
}

/* ---- templates ---- */

void route_names_free(struct route_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
    *names = (struct route_names){0};
}

static void names_add(struct route_names *names, const char *name, size_t len)
{
    MEM_GROW(names->names, names->capacity, names->count + 1);
    names->names[names->count++] = mem_strndup(name, len);
}

static void put_quoted(struct buf *pattern, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x80 && strchr("\\.+*?()|[]{}^$", text[i])) {
            buf_putc(pattern, '\\');
        }
        buf_putc(pattern, text[i]);
    }
}

/* The end of the variable that text begins with, behind its last brace; NULL: there is none. */
static const char *variable_end(const char *text)
{
    size_t level = 0;
    for (const char *c = text; *c; c++) {
        level += *c == '{';
        if (*c == '}' && --level == 0) {
            return c + 1;
        }
    }
    return NULL;
}

static int put_variable(const char *text, const char *end, const char *otherwise, struct route_names *names,
                        struct buf *pattern, struct buf *why)
{
    const char *colon = memchr(text, ':', (size_t)(end - text));
    const char *name_end = colon ? colon : end - 1;
    if (name_end == text + 1 || (colon && colon + 2 == end)) {
        buf_puts(why, "it has braces without a name or without a regular expression");
        return SLOTD_E_PARSE;
    }
    names_add(names, text + 1, (size_t)(name_end - text - 1));
    buf_putc(pattern, '(');
    if (!colon) {
        buf_puts(pattern, otherwise);
    } else if (route_regex_translate(colon + 1, (size_t)(end - 1 - colon - 1), pattern, NULL, why)) {
        return SLOTD_E_PARSE;
    }
    buf_putc(pattern, ')');
    return 0;
}

static int template_write(const char *text, size_t len, enum route_template_kind kind, struct route_names *names,
                          struct buf *pattern, struct buf *why)
{
    const char *otherwise = kind == TEMPLATE_QUERY ? ".*" : kind == TEMPLATE_HOST ? "[^.]+" : "[^/]+";
    buf_puts(pattern, kind == TEMPLATE_HOST ? "(?i)^" : "^");
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        size_t plain = strcspn(at, "{}");
        plain = plain < (size_t)(end - at) ? plain : (size_t)(end - at);
        put_quoted(pattern, at, plain);
        at += plain;
        if (at == end) {
            break;
        }
        const char *variable = *at == '{' ? variable_end(at) : NULL;
        if (!variable) {
            buf_puts(why, "its braces do not pair");
            return SLOTD_E_PARSE;
        }
        int err = put_variable(at, variable, otherwise, names, pattern, why);
        if (err) {
            return err;
        }
        at = variable;
    }
    if (kind == TEMPLATE_QUERY && len > 0 && strchr(text, '=') == end - 1) {
        buf_puts(pattern, otherwise);
    }
    buf_puts(pattern, kind == TEMPLATE_PATH ? "[/]?$" : kind == TEMPLATE_PREFIX ? "" : "$");
    return 0;
}

int route_template_compile(const char *text, enum route_template_kind kind, struct route_names *names,
                           struct route_template *ret_template, struct buf *why)
{
    struct route_template template = {.kind = kind};
    size_t len = strlen(text);
    if ((kind == TEMPLATE_PATH || kind == TEMPLATE_PREFIX) && len > 0 && text[0] != '/') {
        buf_puts(why, "it does not begin with `/`");
        return SLOTD_E_PARSE;
    }
    template.ends_with_slash = len > 0 && text[len - 1] == '/';
    len -= kind == TEMPLATE_PATH && template.ends_with_slash;
    bool is_plain = !strpbrk(text, kind == TEMPLATE_PREFIX ? "{" : "{}") &&
                    !(kind == TEMPLATE_QUERY && len > 0 && strchr(text, '=') == text + len - 1);
    if (is_plain) {
        template.literal = mem_strndup(text, len);
        template.literal_len = len;
        template.begin = mem_strdup(template.literal);
        *ret_template = template;
        return 0;
    }
    cleanup_buf struct buf pattern = BUF_INIT;
    struct route_names own = {0};
    int err = template_write(text, len, kind, names ? names : &own, &pattern, why);
    err = err ? err : route_pattern_new(&pattern, &template.pattern, why);
    route_names_free(&own);
    if (!err) {
        template.begin = mem_strndup(text, strcspn(text, "{"));
        *ret_template = template;
    }
    return err;
}

void route_template_free(struct route_template *template)
{
    free(template->begin);
    free(template->literal);
    route_pattern_free(template->pattern);
}

static bool literal_match(const struct route_template *template, struct spop_text text)
{
    size_t len = template->literal_len;
    switch (template->kind) {
    case TEMPLATE_HOST:
        return route_equal_caseless(text.data, text.len, template->literal, len);
    case TEMPLATE_PREFIX:
        return text.len >= len && memcmp(text.data, template->literal, len) == 0;
    case TEMPLATE_PATH:
        return (text.len == len || (text.len == len + 1 && text.data[len] == '/')) &&
               memcmp(text.data, template->literal, len) == 0;
    default:
        return text.len == len && memcmp(text.data, template->literal, len) == 0;
    }
}

enum route_match route_template_match(const struct route_template *template, struct route_scratch *scratch,
                                      struct spop_text text, size_t *ret_length)
{
    if (template->literal) {
        *ret_length = template->literal_len;
        return literal_match(template, text) ? ROUTE_YES : ROUTE_NO;
    }
    const size_t *offsets = NULL;
    enum route_match found = route_pattern_match(template->pattern, scratch, text, 0, &offsets);
    if (found == ROUTE_YES) {
        *ret_length = offsets[1];
    }
    return found;
}
