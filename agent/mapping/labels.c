/* SPDX-License-Identifier: MIT */
/* Labels by segment: PREFIX.SEGMENT.PROPERTY for the properties that make one; every segment inherits the app's own
 * labels. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"

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

/* The length of the segment's name in a label key, 0 when it has none: the shortest name counts, and what stands under
 * `frontend.` and `backend.` is the app's own (Traefik 1.7's regular expression). */
static size_t segment_length(const char *name)
{
    if (strncmp(name, "frontend.", 9) == 0 || strncmp(name, "backend.", 8) == 0 || strchr(name, '\n')) {
        return 0;
    }
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        if (dot > name && is_segment_property(dot + 1)) {
            return (size_t)(dot - name);
        }
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **labels_list_segments(const struct mapper *mapper, const struct marathon_app *app, size_t *ret_count)
{
    char **names = mem_alloc_array(app->n_labels, sizeof(char *));
    size_t count = 0;
    for (size_t i = 0; i < app->n_labels; i++) {
        const char *name = behind_prefix(mapper, app->labels[i].key);
        size_t len = name ? segment_length(name) : 0;
        if (len > 0) {
            names[count++] = mem_strndup(name, len);
        }
    }
    qsort(names, count, sizeof(char *), compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(names[kept - 1], names[i]) == 0) {
            free(names[i]);
        } else {
            names[kept++] = names[i];
        }
    }
    *ret_count = kept;
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
