/* SPDX-License-Identifier: MIT */
/* One event's JSON under a name of the stream: what is taken has the parts that its type promises. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/marathon.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_event(const struct marathon_event *event)
{
    bool is_status = event->type == MARATHON_EVENT_STATUS_UPDATE;
    bool is_post = event->type == MARATHON_EVENT_API_POST;
    bool is_health = event->type == MARATHON_EVENT_HEALTH;
    bool is_instance = is_health || event->type == MARATHON_EVENT_INSTANCE_CHANGED ||
                       event->type == MARATHON_EVENT_INSTANCE_TERMINATED;
    require(event->name && event->app_id && event->instance_id);
    require((event->task != NULL) == is_status && (event->app != NULL) == is_post);
    require(!is_status || (event->task->id[0] != '\0' && event->task->state == event->state));
    require(!is_post || (strcmp(event->app->id, event->app_id) == 0 && event->app->n_tasks == 0));
    require(is_instance == (event->instance_id[0] != '\0'));
    require(is_health || !event->alive);
    if (is_status) {
        (void)marathon_task_is_of_instance(event->task->id, event->app_id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct marathon_event *event = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = marathon_event_parse("status_update_event", (const char *)data, size, &event, &why);
    require(err ? event == NULL && why.len > 0 : event != NULL && why.len == 0);
    if (event) {
        check_event(event);
    }
    marathon_event_free(event);
    return 0;
}
