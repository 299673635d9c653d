/* SPDX-License-Identifier: MIT */
/* Fuzz target: what HAProxy may show of a map: whatever it is, the commands that follow are well-formed single lines.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/access.h"
#include "slotd/map.h"
#include "slotd/mem.h"

static void check_plan(const struct map_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct buf line = BUF_INIT;
        if (map_command_format("/m", &plan->commands[i], &line) || strpbrk(buf_text(&line), "\n;\\\"'<")) {
            abort();
        }
        buf_free(&line);
    }
}

static void observe(struct map *map, const struct map_content *content)
{
    struct map_plan plan = {0};
    map_observe(map, content, &plan);
    check_plan(&plan);
    if (map_differs(map)) {
        abort();
    }
    map_plan_free(&plan);
}

/* What another hand may have put into a map of routes: a backend's name is a part of the value. */
static void check_value(const char *value)
{
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        size_t way_len = 0;
        size_t len = 0;
        const char *way = access_value_way(value, (enum access_point)i, &way_len);
        const char *backend = access_value_backend(value, (enum access_point)i, &len);
        if ((backend && (backend != way || len == 0 || len > way_len || memchr(backend, '/', len))) ||
            (way && way + way_len > value + strlen(value))) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct map_content *content = NULL;
    (void)map_reply_judge((const char *)data, size);
    if (map_content_parse((const char *)data, size, &content, NULL)) {
        return 0;
    }
    struct map *map = map_new(1);
    map_set(map, "web", "/healthz");
    observe(map, content);
    /* All that is printed becomes what should be, as far as it may be said. */
    for (size_t i = 0; i < content->count; i++) {
        map_set(map, content->entries[i].key, content->entries[i].value);
        check_value(content->entries[i].value);
    }
    observe(map, content);
    size_t section = 0;
    struct buf lines = BUF_INIT;
    while (map_next_unsaved(map, &section, &lines)) {
    }
    buf_free(&lines);
    map_free(map);
    map_content_free(content);
    return 0;
}
