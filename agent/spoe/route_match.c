/* SPDX-License-Identifier: MIT */
/* Whether a rule matches a request. */
#include <string.h>

#include "route_private.h"

/* text as patterns take it, in the same place unless it has to be mended. len SIZE_MAX: it is too long for that. */
static struct spop_text mend(const struct route_subject *subject, struct spop_text text)
{
    char *buffer = subject->scratch->prefix; /* not in use before a rule has matched */
    if (text.len == 0 || route_utf8_span(text.data, text.len) == text.len) {
        return text;
    }
    return (struct spop_text){buffer, route_utf8_mend(text.data, text.len, buffer, 2 * ROUTE_MAX_PATH)};
}

static enum route_match match_method(const struct route_matcher *matcher, struct spop_text method)
{
    for (size_t i = 0; i < matcher->count; i++) {
        const struct route_value *value = &matcher->values[i];
        if (value->len == method.len && memcmp(value->text, method.data, method.len) == 0) {
            return ROUTE_YES;
        }
    }
    return ROUTE_NO;
}

static enum route_match match_host(const struct route_matcher *matcher, struct spop_text host)
{
    size_t low = 0;
    size_t high = host.len > 0 ? matcher->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct route_value *value = &matcher->values[middle];
        int order = memcmp(host.data, value->text, host.len < value->len ? host.len : value->len);
        order = order != 0 ? order : (host.len > value->len) - (host.len < value->len);
        if (order == 0) {
            return ROUTE_YES;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return ROUTE_NO;
}

static enum route_match match_templates(const struct route_matcher *matcher, struct route_subject *subject,
                                        struct spop_text text)
{
    for (size_t i = 0; i < matcher->count; i++) {
        const struct route_template *template = &matcher->values[i].template;
        size_t length;
        enum route_match found = route_template_match(template, subject->scratch, text, &length);
        if (found == ROUTE_YES && template->kind == TEMPLATE_PATH) {
            bool has_slash = text.len > 0 && text.data[text.len - 1] == '/';
            subject->turns_slash = subject->turns_slash || has_slash != template->ends_with_slash;
        }
        if (found != ROUTE_NO) {
            return found;
        }
    }
    return ROUTE_NO;
}

static enum route_match match_header(const struct route_matcher *matcher, const struct route_subject *subject)
{
    const struct route_value *wanted = &matcher->values[0];
    struct spop_text headers = subject->request->headers;
    struct spop_reader reader = spop_reader_over(headers.data, headers.len);
    struct spop_text name;
    struct spop_text value;
    if (route_equal_caseless(wanted->name, wanted->name_len, "host", 4)) {
        return ROUTE_NO; /* for Go it is none of the headers */
    }
    while (route_header_next(&reader, &name, &value)) {
        if (!route_equal_caseless(name.data, name.len, wanted->name, wanted->name_len)) {
            continue;
        }
        bool is_equal =
            wanted->len == 0 || (value.len == wanted->len && memcmp(value.data, wanted->text, value.len) == 0);
        enum route_match found = is_equal ? ROUTE_YES : ROUTE_NO;
        if (wanted->pattern) {
            struct spop_text mended = mend(subject, value);
            found = mended.len == SIZE_MAX ? ROUTE_FAILED
                                           : route_pattern_match(wanted->pattern, subject->scratch, mended, 0, NULL);
        }
        if (found != ROUTE_NO) {
            return found;
        }
    }
    return reader.failed ? ROUTE_FAILED : ROUTE_NO;
}

static enum route_match match_query(const struct route_matcher *matcher, const struct route_subject *subject)
{
    const struct route_value *wanted = &matcher->values[0];
    struct spop_text text = SPOP_TEXT("");
    size_t length;
    if (subject->request->query.len >= ROUTE_MAX_PATH) {
        return ROUTE_FAILED;
    }
    (void)route_query_find(subject, wanted->name, wanted->name_len, &text);
    struct spop_text mended = mend(subject, text);
    return mended.len == SIZE_MAX ? ROUTE_FAILED
                                  : route_template_match(&wanted->template, subject->scratch, mended, &length);
}

static enum route_match match_one(const struct route_matcher *matcher, struct route_subject *subject)
{
    switch (matcher->word) {
    case RULE_HOST:
        return match_host(matcher, subject->host);
    case RULE_HOST_REGEXP:
        return match_templates(matcher, subject, subject->raw_host);
    case RULE_METHOD:
        return match_method(matcher, subject->request->method);
    case RULE_HEADERS:
    case RULE_HEADERS_REGEXP:
        return match_header(matcher, subject);
    case RULE_QUERY:
        return match_query(matcher, subject);
    default:
        return match_templates(matcher, subject, subject->mended);
    }
}

enum route_match route_rule_match(const struct route_compiled *rule, struct route_subject *subject, size_t skipped,
                                  size_t *ret_part)
{
    subject->turns_slash = false;
    for (size_t i = 0; i < rule->n_matchers; i++) {
        enum route_match found = i == skipped ? ROUTE_YES : match_one(&rule->matchers[i], subject);
        if (found != ROUTE_YES) {
            *ret_part = rule->matchers[i].part;
            return found;
        }
    }
    return ROUTE_YES;
}
