/* SPDX-License-Identifier: MIT */
/* Labels by segment: PREFIX.SEGMENT.PROPERTY for the properties that make one; every segment inherits the app's own
 * labels. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define LABEL_MAX_SHOWN 60
#define LABEL_MAX_NUMBER 64

static const char *const segment_properties[] = {"port", "portIndex", "portName", "weight", "protocol", "backend"};

static bool is_segment_property(const char *rest)
{
    for (size_t i = 0; i < sizeof(segment_properties) / sizeof(segment_properties[0]); i++) {
        if (strcmp(rest, segment_properties[i]) == 0) {
            return true;
        }
    }
    return strncmp(rest, "frontend.", 9) == 0 && rest[9] != '\0';
}

/* The part of key behind "PREFIX.", or NULL. */
static const char *behind_prefix(const struct mapper *mapper, const char *key)
{
    size_t len = strlen(mapper->config->label_prefix);
    return strncmp(key, mapper->config->label_prefix, len) == 0 && key[len] == '.' ? key + len + 1 : NULL;
}

/* Repaired: SEGMENT.backend.healthcheck.port is a property of SEGMENT, and makes no segment of its own. */
static bool is_healthcheck_port(const char *name, const char *property)
{
    static const char middle[] = ".backend.healthcheck";
    size_t len = (size_t)(property - name);
    return len > sizeof(middle) - 1 && strncmp(property - (sizeof(middle) - 1), middle, sizeof(middle) - 1) == 0 &&
           strcmp(property, ".port") == 0;
}

static bool dot_ends_segment(const struct segment_view *view, const char *name, const char *dot)
{
    bool is_of_traefik =
        is_segment_property(dot + 1) && !is_healthcheck_port(name, dot) && !labels_tcp_is_own(view, name, dot);
    return dot > name && (is_of_traefik || labels_tcp_make_segment(view, name, dot));
}

/* The length of the segment's name in a label key, 0 when it has none: the shortest name counts, and what stands under
 * `frontend.` and `backend.` is the app's own (Traefik 1.7's regular expression). */
static size_t segment_length(const struct segment_view *view, const char *name)
{
    if (strncmp(name, "frontend.", 9) == 0 || strncmp(name, "backend.", 8) == 0 || strchr(name, '\n')) {
        return 0;
    }
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        if (dot_ends_segment(view, name, dot)) {
            return (size_t)(dot - name);
        }
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts and takes out what is there twice. */
static size_t sort_names(char **names, size_t count)
{
    size_t kept = 0;
    qsort(names, count, sizeof(char *), compare_names);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(names[kept - 1], names[i]) == 0) {
            free(names[i]);
        } else {
            names[kept++] = names[i];
        }
    }
    return kept;
}

static size_t limit_names(const struct segment_view *view, char **names, size_t count)
{
    if (count <= MAPPING_MAX_SEGMENTS) {
        return count;
    }
    view_add_problem(view, NULL, "too-many-segments", "its labels make %zu segments; the first %d by name are taken",
                     count, MAPPING_MAX_SEGMENTS);
    for (size_t i = MAPPING_MAX_SEGMENTS; i < count; i++) {
        free(names[i]);
    }
    return MAPPING_MAX_SEGMENTS;
}

char **labels_list_segments(const struct segment_view *view, size_t *ret_count)
{
    const struct marathon_app *app = view->app;
    char **names = mem_alloc_array(app->n_labels, sizeof(char *));
    size_t count = 0;
    for (size_t i = 0; i < app->n_labels; i++) {
        const char *name = behind_prefix(view->mapper, app->labels[i].key);
        size_t len = name ? segment_length(view, name) : 0;
        if (len > MAPPING_MAX_NAME) {
            view_add_problem(
                view, NULL, "segment-name-too-long",
                "a segment's name in its labels is %zu bytes long; at most %d would be right. It is left out", len,
                MAPPING_MAX_NAME);
        } else if (len > 0) {
            names[count++] = mem_strndup(name, len);
        }
    }
    *ret_count = limit_names(view, names, sort_names(names, count));
    return names;
}

const char *labels_get_own(const struct mapper *mapper, const struct marathon_app *app, const char *property)
{
    cleanup_free char *key = mem_printf("%s.%s", mapper->config->label_prefix, property);
    const char *value = marathon_app_label(app, key);
    return value && value[0] ? value : NULL;
}

const char *labels_get(const struct segment_view *view, const char *property)
{
    if (view->segment[0]) {
        cleanup_free char *key = mem_printf("%s.%s.%s", view->mapper->config->label_prefix, view->segment, property);
        const char *value = marathon_app_label(view->app, key);
        if (value) {
            return value[0] ? value : NULL;
        }
    }
    return labels_get_own(view->mapper, view->app, property);
}

bool label_to_int(const char *label, int64_t *ret_value)
{
    return strnlen(label, LABEL_MAX_NUMBER + 1) <= LABEL_MAX_NUMBER &&
           text_parse_int(label, INT64_MIN, INT64_MAX, ret_value) == 0;
}

char *label_to_shown(const char *label)
{
    struct buf shown = BUF_INIT;
    text_append_safe(&shown, label, strlen(label), LABEL_MAX_SHOWN);
    return buf_steal(&shown);
}
