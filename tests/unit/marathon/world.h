/* SPDX-License-Identifier: MIT */
/* A small true Marathon: apps and tasks that live and die, the events that tell of it on their way, and the answers
 * that are computed at one moment and arrive at another. */
#ifndef SLOTD_TESTS_UNIT_MARATHON_WORLD_H
#define SLOTD_TESTS_UNIT_MARATHON_WORLD_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "slotd/buf.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"

#define WORLD_APPS 4
#define WORLD_TASKS 256
#define WORLD_EVENTS 256

struct world_task {
    char id[64];
    size_t app;
    unsigned version;
    enum marathon_task_state state;
    bool orphan;                       /* its app was deleted: no answer lists it */
    bool is_gone;                      /* no answer lists it */
    const struct marathon_task *known; /* as the cluster knows it now */
    bool was_known;                    /* alive */
    bool was_ended;
    bool was_killed; /* its TASK_KILLING has arrived */
};

struct world_event {
    size_t key; /* events with one key keep their order */
    uint64_t made;
    char *name;
    char *json;
};

struct world {
    unsigned long seed;
    uint64_t random;
    uint64_t now;
    unsigned versions;
    bool exists[WORLD_APPS];
    unsigned version[WORLD_APPS];
    struct world_task tasks[WORLD_TASKS];
    size_t n_tasks;
    struct world_event events[WORLD_EVENTS];
    size_t n_events;
};

static inline size_t world_pick(struct world *world, size_t count)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (size_t)(world->random >> 20) % count;
}

static inline bool world_chance(struct world *world, size_t percent)
{
    return world_pick(world, 100) < percent;
}

/* ---- events ---- */

static inline void world_tell(struct world *world, size_t key, const char *name, char *json)
{
    if (world->n_events == WORLD_EVENTS) {
        free(json);
        return;
    }
    world->events[world->n_events++] =
        (struct world_event){.key = key, .made = ++world->now, .name = mem_strdup(name), .json = json};
}

static inline void world_tell_status(struct world *world, const struct world_task *task, const char *state)
{
    world_tell(world, WORLD_APPS + (size_t)(task - world->tasks), "status_update_event",
               mem_printf("{\"appId\":\"/a%zu\",\"taskId\":\"%s\",\"version\":\"%u\",\"taskStatus\":\"TASK_%s\","
                          "\"host\":\"h\",\"ports\":[%zu]}",
                          task->app, task->id, task->version, state, (size_t)(task - world->tasks) + 1));
}

static inline void world_tell_instance(struct world *world, const struct world_task *task, const char *name,
                                       const char *condition)
{
    world_tell(world, WORLD_APPS + (size_t)(task - world->tasks), name,
               mem_printf("{\"runSpecId\":\"/a%zu\",\"instanceId\":\"%.*s\",\"condition\":\"%s\"}", task->app,
                          (int)(strlen(task->id) - strlen("._app.1")), task->id, condition));
}

/* Removes the first event with the key of one taken at random; the caller frees its texts. */
static inline struct world_event world_take_event(struct world *world, size_t place)
{
    size_t first = 0;
    while (world->events[first].key != world->events[place].key) {
        first++;
    }
    struct world_event event = world->events[first];
    world->n_events--;
    memmove(&world->events[first], &world->events[first + 1], (world->n_events - first) * sizeof(event));
    return event;
}

/* ---- tasks ---- */

static inline void world_launch(struct world *world, size_t app)
{
    if (world->n_tasks == WORLD_TASKS || !world->exists[app]) {
        return;
    }
    struct world_task *task = &world->tasks[world->n_tasks++];
    *task = (struct world_task){.app = app, .version = world->version[app], .state = MARATHON_TASK_STAGING};
    snprintf(task->id, sizeof(task->id), "a%zu.instance-%zu._app.1", app, world->n_tasks);
}

static inline void world_run(struct world *world, struct world_task *task)
{
    task->state = MARATHON_TASK_RUNNING;
    world_tell_status(world, task, "RUNNING");
}

static inline void world_kill(struct world *world, struct world_task *task)
{
    task->state = MARATHON_TASK_KILLING;
    world_tell_status(world, task, "KILLING");
}

/* A wiped task has no terminal status; one that failed stays listed for a while. */
static inline void world_end(struct world *world, struct world_task *task)
{
    task->state = MARATHON_TASK_TERMINAL;
    task->is_gone = world_chance(world, 50);
    if (world_chance(world, 20)) {
        world_tell_instance(world, task, "unknown_instance_terminated_event", "Killed");
    } else {
        world_tell_status(world, task, "KILLED");
        world_tell_instance(world, task, "instance_changed_event", "Killed");
    }
}

static inline void world_lose(struct world *world, struct world_task *task)
{
    task->state = MARATHON_TASK_UNREACHABLE;
    world_tell_status(world, task, "UNREACHABLE");
    world_tell_instance(world, task, "instance_changed_event", "Unreachable");
}

/* One step in the life of a task. */
static inline void world_advance(struct world *world, struct world_task *task)
{
    switch (task->state) {
    case MARATHON_TASK_STAGING:
        task->state = MARATHON_TASK_STARTING;
        world_tell_status(world, task, "STARTING");
        break;
    case MARATHON_TASK_STARTING:
        world_run(world, task);
        break;
    case MARATHON_TASK_RUNNING:
        if (world_chance(world, 15)) {
            world_tell_status(world, task, "RUNNING");
        } else if (world_chance(world, 20)) {
            world_lose(world, task);
        } else if (world_chance(world, 50)) {
            world_kill(world, task);
        }
        break;
    case MARATHON_TASK_UNREACHABLE:
        if (world_chance(world, 50)) {
            world_run(world, task);
            break;
        }
        world_end(world, task);
        break;
    case MARATHON_TASK_KILLING:
        world_end(world, task);
        break;
    case MARATHON_TASK_TERMINAL:
    case MARATHON_TASK_OTHER:
        task->is_gone = true;
        break;
    }
}

/* ---- apps ---- */

/* Created, or changed: the event comes before the change. */
static inline void world_post(struct world *world, size_t app)
{
    world->exists[app] = true;
    /* A rollback has an older version. */
    world->version[app] = world_chance(world, 20) && world->versions > 3 ? world->versions - 2 : ++world->versions;
    world_tell(world, app, "api_post_event",
               mem_printf("{\"appDefinition\":{\"id\":\"/a%zu\",\"version\":\"%u\"}}", app, world->version[app]));
}

/* Its tasks are not listed any more, though they are still being killed. */
static inline void world_delete(struct world *world, size_t app)
{
    if (!world->exists[app]) {
        return;
    }
    world->exists[app] = false;
    world_tell(world, app, "app_terminated_event", mem_printf("{\"appId\":\"/a%zu\"}", app));
    for (size_t i = 0; i < world->n_tasks; i++) {
        struct world_task *task = &world->tasks[i];
        if (task->app == app && !task->orphan) {
            task->orphan = true;
            if (task->state != MARATHON_TASK_TERMINAL) {
                world_kill(world, task);
            }
        }
    }
}

static inline bool world_lists(const struct world_task *task, size_t app)
{
    return task->app == app && !task->orphan && !task->is_gone;
}

static inline const char *world_state_name(enum marathon_task_state state)
{
    switch (state) {
    case MARATHON_TASK_STAGING:
        return "TASK_STAGING";
    case MARATHON_TASK_STARTING:
        return "TASK_STARTING";
    case MARATHON_TASK_RUNNING:
        return "TASK_RUNNING";
    case MARATHON_TASK_KILLING:
        return "TASK_KILLING";
    case MARATHON_TASK_UNREACHABLE:
        return "TASK_UNREACHABLE";
    case MARATHON_TASK_TERMINAL:
    case MARATHON_TASK_OTHER:
        break;
    }
    return "TASK_FAILED";
}

/* The app as an answer lists it now, without some of its tasks when it lies; NULL for a 404. The caller frees. */
static inline char *world_app_json(struct world *world, size_t app, bool lies)
{
    struct buf json = BUF_INIT;
    const char *comma = "";
    if (!world->exists[app]) {
        return NULL;
    }
    buf_printf(&json, "{\"id\":\"/a%zu\",\"version\":\"%u\",\"tasks\":[", app, world->version[app]);
    for (size_t i = 0; i < world->n_tasks; i++) {
        const struct world_task *task = &world->tasks[i];
        if (world_lists(task, app) && !(lies && world_chance(world, 40))) {
            buf_printf(&json, "%s{\"id\":\"%s\",\"state\":\"%s\"", comma, task->id, world_state_name(task->state));
            if (task->state == MARATHON_TASK_TERMINAL) {
                buf_puts(&json, ",\"ports\":[]}");
            } else {
                buf_printf(&json, ",\"host\":\"h\",\"version\":\"%u\",\"ports\":[%zu]}", task->version, i + 1);
            }
            comma = ",";
        }
    }
    buf_puts(&json, "]}");
    return buf_steal(&json);
}

static inline void world_free(struct world *world)
{
    for (size_t i = 0; i < world->n_events; i++) {
        free(world->events[i].name);
        free(world->events[i].json);
    }
    free(world);
}

#endif
