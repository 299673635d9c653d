/* SPDX-License-Identifier: MIT */
/* Which apps are mapped: exposure and constraints. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

int constraints_init(struct mapper *mapper, struct buf *why)
{
    const struct config_list *list = &mapper->config->constraints;
    mapper->constraints = mem_alloc_array(list->count, sizeof(*mapper->constraints));
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->items[i];
        bool equal = strncmp(text, "tag==", 5) == 0;
        if (!equal && strncmp(text, "tag!=", 5) != 0) {
            buf_printf(why, "mapping.constraints: `%s` is not understood; `tag==GLOB` or `tag!=GLOB` would be right",
                       text);
            return SLOTD_E_CONFIG;
        }
        mapper->constraints[mapper->n_constraints++] = (struct constraint){mem_strdup(text + 5), equal};
    }
    return 0;
}

void constraints_free(struct mapper *mapper)
{
    for (size_t i = 0; i < mapper->n_constraints; i++) {
        free(mapper->constraints[i].glob);
    }
    free(mapper->constraints);
}

/* `*` is the only wildcard; one step back is enough, since the last star can take whatever an earlier one could. */
static bool glob_matches(const char *glob, const char *text, size_t len)
{
    const char *star = NULL;
    const char *end = text + len;
    const char *retry = text;
    while (text < end) {
        if (*glob == '*') {
            star = ++glob;
            retry = text;
        } else if (*glob == *text && *glob) {
            glob++;
            text++;
        } else if (star) {
            glob = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*glob == '*') {
        glob++;
    }
    return *glob == '\0';
}

/* Whether one of the tags in a comma-separated list matches. */
static bool list_matches(const char *glob, const char *list)
{
    static const char blanks[] = " \t\r\n\v\f";
    while (list && *list) {
        size_t len = strcspn(list, ",");
        const char *start = list + strspn(list, blanks);
        const char *end = list + len;
        while (end > start && strchr(blanks, end[-1])) {
            end--;
        }
        if (end > start && glob_matches(glob, start, (size_t)(end - start))) {
            return true;
        }
        list += len + (list[len] == ',');
    }
    return false;
}

static bool app_has_tag(const struct mapper *mapper, const struct marathon_app *app, const char *glob)
{
    const struct config_mapping *config = mapper->config;
    if (list_matches(glob, labels_get_own(mapper, app, "tags"))) {
        return true;
    }
    const char *group = config->marathon_lb_compatibility ? marathon_app_label(app, "HAPROXY_GROUP") : NULL;
    if (group && group[0] && glob_matches(glob, group, strlen(group))) {
        return true;
    }
    for (size_t i = 0; config->filter_marathon_constraints && i < app->n_constraints; i++) {
        if (glob_matches(glob, app->constraints[i], strlen(app->constraints[i]))) {
            return true;
        }
    }
    return false;
}

static bool app_is_exposed(const struct segment_view *view)
{
    const struct config_mapping *config = view->mapper->config;
    bool exposed = config->exposed_by_default;
    const char *enable = labels_get_own(view->mapper, view->app, "enable");
    if (enable && text_parse_bool(enable, &exposed)) {
        cleanup_free char *shown = label_to_shown(enable);
        view_add_problem(view, NULL, "enable-invalid", "%s.enable is `%s`; true or false would be right, %s is taken",
                         config->label_prefix, shown, exposed ? "true" : "false");
    }
    return exposed;
}

bool app_is_selected(const struct segment_view *view)
{
    const struct mapper *mapper = view->mapper;
    bool selected = app_is_exposed(view);
    for (size_t i = 0; selected && i < mapper->n_constraints; i++) {
        selected = app_has_tag(mapper, view->app, mapper->constraints[i].glob) == mapper->constraints[i].must_match;
    }
    return selected;
}
