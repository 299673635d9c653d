/* SPDX-License-Identifier: MIT */
/* Paths as Traefik 1.7 rewrites them: strip by regular expression, strip, add, replace by regular expression, replace;
 * on the unescaped path, and beside it on the escaped one where Go's url.URL keeps it (RawPath). */
#include <string.h>

#include "route_private.h"

#define SIZE ((size_t)2 * ROUTE_MAX_PATH)
#define MAX_MATCHES 256                /* of one replacement */
#define FRONT ((size_t)ROUTE_MAX_PATH) /* room in front of a path for what is added there */

/* A path in a buffer of SIZE. */
struct place {
    char *buffer;
    char *data;
    size_t len;
};

struct rewriting {
    struct route_scratch *scratch;
    struct place path;
    struct place raw; /* len 0: none */
    size_t prefix_len;
    bool has_prefix;
    bool is_failed;
};

/* ---- places ---- */

static void place_set(struct place *place, struct spop_text text)
{
    place->data = place->buffer + FRONT;
    place->len = text.len;
    if (text.len > 0) {
        memcpy(place->data, text.data, text.len);
    }
}

static void place_cut(struct place *place, size_t len)
{
    len = len < place->len ? len : place->len;
    place->data += len;
    place->len -= len;
}

static bool place_begins(const struct place *place, const char *text, size_t len)
{
    return place->len >= len && memcmp(place->data, text, len) == 0;
}

static bool place_put_in_front(struct place *place, struct spop_text text)
{
    size_t len = text.len;
    if ((size_t)(place->data - place->buffer) < len || place->len + len >= ROUTE_MAX_PATH) {
        return false;
    }
    place->data -= len;
    place->len += len;
    for (size_t i = 0; i < len; i++) {
        place->data[i] = text.data[i];
    }
    return true;
}

/* ---- strips ---- */

static void add_prefix_header(struct rewriting *rewriting, const char *text, size_t len)
{
    char *prefix = rewriting->scratch->prefix;
    size_t used = rewriting->prefix_len;
    if (used + 2 + len > SIZE) {
        rewriting->is_failed = true;
        return;
    }
    if (rewriting->has_prefix) { /* as a second line of that header */
        memcpy(prefix + used, ", ", 2);
        used += 2;
    }
    memcpy(prefix + used, text, len);
    rewriting->prefix_len = used + len;
    rewriting->has_prefix = true;
}

static void ensure_slash(struct rewriting *rewriting, struct place *place)
{
    if (!place_begins(place, "/", 1)) {
        rewriting->is_failed = rewriting->is_failed || !place_put_in_front(place, SPOP_TEXT("/"));
    }
}

/* False: no prefix is there, which Traefik answers with 404. */
static bool strip(struct rewriting *rewriting, const struct route_compiled *rule)
{
    for (size_t i = 0; i < rule->n_strips; i++) {
        const char *prefix = rule->strips[i];
        size_t len = strlen(prefix);
        if (!place_begins(&rewriting->path, prefix, len)) {
            continue;
        }
        place_cut(&rewriting->path, len);
        ensure_slash(rewriting, &rewriting->path);
        if (rewriting->raw.len > 0) {
            place_cut(&rewriting->raw, place_begins(&rewriting->raw, prefix, len) ? len : 0);
            ensure_slash(rewriting, &rewriting->raw);
        }
        add_prefix_header(rewriting, prefix, len);
        return true;
    }
    return rule->n_strips == 0;
}

static bool strip_templates(struct rewriting *rewriting, const struct route_compiled *rule,
                            const struct route_subject *subject)
{
    for (size_t i = 0; i < rule->n_strip_templates; i++) {
        size_t length = 0;
        enum route_match found =
            route_template_match(&rule->strip_templates[i], rewriting->scratch, subject->mended, &length);
        if (found == ROUTE_FAILED) {
            rewriting->is_failed = true;
            return true;
        }
        if (found == ROUTE_NO) {
            continue;
        }
        if (subject->mended.data != subject->path.data) {
            length = route_utf8_offset(subject->path.data, subject->path.len, length);
        }
        add_prefix_header(rewriting, rewriting->path.data, length);
        place_cut(&rewriting->path, length);
        place_cut(&rewriting->raw, length);
        return true;
    }
    return rule->n_strip_templates == 0;
}

/* ---- replacement by Go's regexp.ReplaceAllString ---- */

struct output {
    char *buffer;
    size_t len;
    bool is_full;
};

static void output_put(struct output *output, const char *text, size_t len)
{
    output->is_full = output->is_full || len > ROUTE_MAX_PATH - output->len;
    if (!output->is_full && len > 0) {
        memcpy(output->buffer + output->len, text, len);
        output->len += len;
    }
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The group that a name in a replacement stands for; SIZE_MAX: none. */
static size_t find_group(const struct route_compiled *rule, const char *name, size_t len)
{
    size_t number = 0;
    size_t digits = 0;
    for (; digits < len && name[digits] >= '0' && name[digits] <= '9' && number < 1000; digits++) {
        number = number * 10 + (size_t)(name[digits] - '0');
    }
    if (digits == len) {
        return number <= route_pattern_groups(rule->replace_pattern) ? number : SIZE_MAX;
    }
    for (size_t i = 1; i <= rule->groups.count; i++) {
        const char *other = rule->groups.names[i];
        if (other && strlen(other) == len && memcmp(other, name, len) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The name behind the dollar at text, $name or ${name}: its length with the dollar, or 0 when that is none. */
static size_t read_reference(const char *text, const char **ret_name, size_t *ret_len)
{
    bool is_braced = text[1] == '{';
    const char *name = text + 1 + is_braced;
    size_t len = 0;
    while (is_word(name[len])) {
        len++;
    }
    if (len == 0 || (is_braced && name[len] != '}')) {
        return 0;
    }
    *ret_name = name;
    *ret_len = len;
    return (size_t)(name - text) + len + is_braced;
}

static void expand(struct output *output, const struct route_compiled *rule, const char *text, const size_t *offsets)
{
    for (const char *at = rule->replacement; *at;) {
        size_t plain = strcspn(at, "$");
        output_put(output, at, plain);
        at += plain;
        if (!*at) {
            return;
        }
        const char *name = NULL;
        size_t len = 0;
        size_t size = at[1] == '$' ? 0 : read_reference(at, &name, &len);
        if (size == 0) {
            output_put(output, "$", 1);
            at += at[1] == '$' ? 2 : 1;
            continue;
        }
        size_t group = find_group(rule, name, len);
        if (group != SIZE_MAX && offsets[2 * group] != SIZE_MAX) {
            output_put(output, text + offsets[2 * group], offsets[2 * group + 1] - offsets[2 * group]);
        }
        at += size;
    }
}

static size_t character_size(struct spop_text text, size_t at)
{
    uint32_t character;
    return at < text.len ? route_utf8_read(text.data + at, text.len - at, &character) : 0;
}

/* An empty match right behind another one is none. */
static enum route_match replace_all(const struct route_compiled *rule, struct route_scratch *scratch,
                                    struct spop_text text, struct output *output)
{
    enum route_match found = ROUTE_YES;
    size_t count = 0;
    size_t done = 0;
    for (size_t at = 0; at <= text.len && !output->is_full;) {
        const size_t *offsets = NULL;
        found = route_pattern_match(rule->replace_pattern, scratch, text, at, &offsets);
        if (found != ROUTE_YES) {
            break;
        }
        output->is_full = output->is_full || ++count > MAX_MATCHES;
        size_t start = offsets[0];
        size_t end = offsets[1];
        output_put(output, text.data + done, start - done);
        if (end > done || start == 0) {
            expand(output, rule, text.data, offsets);
        }
        done = end;
        size_t next = at + character_size(text, at);
        next = next > at ? next : at + 1;
        at = next > end ? next : end;
    }
    output_put(output, text.data + done, text.len - done);
    if (found == ROUTE_FAILED || output->is_full) {
        return ROUTE_FAILED;
    }
    return count > 0 ? ROUTE_YES : ROUTE_NO;
}

static void replace_by_pattern(struct rewriting *rewriting, const struct route_compiled *rule)
{
    struct place *path = &rewriting->path;
    struct output output = {.buffer = rewriting->scratch->written};
    char *buffer = rewriting->scratch->mended;
    struct spop_text text = {path->data, path->len};
    if (route_utf8_span(path->data, path->len) < path->len) {
        text = (struct spop_text){buffer, route_utf8_mend(path->data, path->len, buffer, ROUTE_MAX_PATH)};
    }
    enum route_match found = text.len == SIZE_MAX ? ROUTE_FAILED : replace_all(rule, rewriting->scratch, text, &output);
    rewriting->is_failed = rewriting->is_failed || found == ROUTE_FAILED;
    if (found == ROUTE_YES) {
        place_set(path, (struct spop_text){output.buffer, output.len});
    }
}

/* ---- from a path to what is sent ---- */

/* Go's url.URL.EscapedPath(), with a slash at its beginning. Returns false when it does not fit. */
static bool write_path(struct rewriting *rewriting, struct spop_text *ret_path)
{
    char *out = rewriting->scratch->out;
    struct place *path = &rewriting->path;
    struct place *raw = &rewriting->raw;
    bool is_kept = raw->len > 0 && route_is_escaped(raw->data, raw->len) &&
                   route_unescape(raw->data, raw->len, false, rewriting->scratch->value) == path->len &&
                   memcmp(rewriting->scratch->value, path->data, path->len) == 0;
    size_t len = is_kept ? raw->len : route_escape(path->data, path->len, out + 1, ROUTE_MAX_PATH - 1);
    if (len > ROUTE_MAX_PATH - 1) {
        return false;
    }
    if (is_kept) {
        memcpy(out + 1, raw->data, len);
    }
    out[0] = '/';
    bool has_slash = len > 0 && out[1] == '/';
    *ret_path = has_slash ? (struct spop_text){out + 1, len} : (struct spop_text){out, len + 1};
    return true;
}

static void open_raw(struct rewriting *rewriting, const struct route_subject *subject)
{
    struct spop_text sent = subject->request->path;
    char *out = rewriting->scratch->out;
    size_t len = route_escape(subject->path.data, subject->path.len, out, SIZE);
    if (len != sent.len || (len > 0 && memcmp(out, sent.data, len) != 0)) {
        place_set(&rewriting->raw, sent);
    }
}

static bool rule_rewrites(const struct route_compiled *rule)
{
    return rule->n_strips > 0 || rule->n_strip_templates > 0 || rule->add || rule->replace || rule->replacement;
}

static void verdict_end(struct route_verdict *verdict, enum route_verdict_kind kind, const char *why)
{
    verdict->kind = kind;
    verdict->why = why;
}

static void rewrite_all(struct rewriting *rewriting, const struct route_compiled *rule)
{
    if (rule->add) {
        struct spop_text add = {rule->add, strlen(rule->add)};
        bool fits = place_put_in_front(&rewriting->path, add);
        fits = fits && (rewriting->raw.len == 0 || place_put_in_front(&rewriting->raw, add));
        rewriting->is_failed = rewriting->is_failed || !fits;
    }
    if (rule->replacement && !rewriting->is_failed) {
        replace_by_pattern(rewriting, rule);
    }
    if (rule->replace && rule->replace[0]) {
        size_t len = strlen(rule->replace);
        rewriting->is_failed = rewriting->is_failed || len >= ROUTE_MAX_PATH;
        if (!rewriting->is_failed) {
            place_set(&rewriting->path, (struct spop_text){rule->replace, len});
        }
    }
}

void route_rewrite(const struct route_compiled *rule, const struct route_subject *subject,
                   struct route_verdict *verdict)
{
    struct route_scratch *scratch = subject->scratch;
    struct rewriting rewriting = {.scratch = scratch,
                                  .path = {.buffer = scratch->work},
                                  .raw = {.buffer = scratch->raw, .data = scratch->raw + FRONT}};
    if (!rule_rewrites(rule)) {
        return;
    }
    place_set(&rewriting.path, subject->path);
    open_raw(&rewriting, subject);
    if (!strip_templates(&rewriting, rule, subject) || !strip(&rewriting, rule)) {
        verdict_end(verdict, ROUTE_VERDICT_NONE, "the path does not begin with what is to be stripped");
        return;
    }
    rewrite_all(&rewriting, rule);
    struct spop_text path;
    if (rewriting.is_failed || !write_path(&rewriting, &path)) {
        verdict_end(verdict, ROUTE_VERDICT_FAILED, "a limit was met when the path was rewritten");
        return;
    }
    struct spop_text sent = subject->request->path;
    verdict->is_rewritten = path.len != sent.len || (path.len > 0 && memcmp(path.data, sent.data, path.len) != 0);
    verdict->path = path;
    if (rewriting.has_prefix) {
        verdict->prefix = (struct spop_text){scratch->prefix, rewriting.prefix_len};
    }
}

void route_turn_slash(const struct route_subject *subject, struct route_verdict *verdict)
{
    char *out = subject->scratch->out;
    struct spop_text path = subject->path;
    struct spop_text query = subject->request->query;
    size_t len = route_escape(path.data, path.len, out, ROUTE_MAX_PATH);
    if (len == SIZE_MAX || query.len >= ROUTE_MAX_PATH - 2) {
        verdict_end(verdict, ROUTE_VERDICT_FAILED, "a limit was met when the path was rewritten");
        return;
    }
    if (len > 0 && out[len - 1] == '/') {
        len--;
    } else {
        out[len++] = '/';
    }
    len = route_clean(out, len); /* as Go's http.Redirect() does: `//host` would be another one */
    if (query.len > 0) {
        out[len++] = '?';
        memcpy(out + len, query.data, query.len);
        len += query.len;
    }
    verdict->kind = ROUTE_VERDICT_REDIRECT;
    verdict->location = (struct spop_text){out, len};
    verdict->status = 301;
}
