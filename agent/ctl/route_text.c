/* SPDX-License-Identifier: MIT */
/* A decision on a request, for people. */
#include <stdio.h>
#include <string.h>

#include "ctl_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) && value ? json_object_get_string(value) : NULL;
}

static void print_member(struct json_object *decision, const char *key, const char *shown)
{
    const char *text = text_of(decision, key);
    cleanup_buf struct buf safe = BUF_INIT;
    if (text) {
        text_append_safe(&safe, text, strlen(text), 4096);
        printf("%-10s %s\n", shown, buf_text(&safe));
    }
}

static const char *say_result(struct json_object *candidate, struct buf *text)
{
    const char *failed = text_of(candidate, "failed");
    const char *why = text_of(candidate, "why");
    if (failed) {
        buf_printf(text, "%s %s", failed, why ? "could not be judged:" : "does not match");
    }
    if (why) {
        buf_printf(text, "%s%s", text->len > 0 ? " " : "", why);
    }
    return text->len > 0 ? buf_text(text) : "matches";
}

void text_print_route(const struct ctl *ctl, struct json_object *decision)
{
    static const char *const headings[] = {"SERVICE", "PRIORITY", "RULE", "RESULT"};
    static const char *const members[][2] = {
        {"verdict", "verdict"}, {"service", "service"},   {"backend", "backend"}, {"backend_path", "path"},
        {"prefix", "prefix"},   {"location", "location"}, {"why", "why"},         {"rule", "rule"},
    };
    struct json_object *candidates = NULL;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        print_member(decision, members[i][0], members[i][1]);
    }
    json_object_object_get_ex(decision, "candidates", &candidates);
    size_t count = candidates ? json_object_array_length(candidates) : 0;
    struct text_table *table = text_table_new(headings, sizeof(headings) / sizeof(headings[0]));
    puts("");
    for (size_t i = 0; i < count; i++) {
        struct json_object *candidate = json_object_array_get_idx(candidates, i);
        cleanup_buf struct buf result = BUF_INIT;
        text_table_add(table, text_of(candidate, "service"), 0);
        text_table_add(table, text_of(candidate, "priority"), 0);
        text_table_add(table, text_of(candidate, "rule"), 0);
        text_table_add(table, say_result(candidate, &result), 0);
    }
    text_table_print(table, ctl->colour);
}
