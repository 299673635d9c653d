/* SPDX-License-Identifier: MIT */
/* Apps and tasks as JSON text, written straight into the answer: a cluster's is tens of megabytes. */
#include <string.h>

#include "sim.h"

void show_quote(struct buf *buf, const char *text)
{
    buf_putc(buf, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') {
            buf_putc(buf, '\\');
            buf_putc(buf, *c);
        } else if ((unsigned char)*c < 0x20) {
            buf_printf(buf, "\\u%04x", (unsigned)*c);
        } else {
            buf_putc(buf, *c);
        }
    }
    buf_putc(buf, '"');
}

static void append_object(struct buf *buf, struct json_object *object)
{
    buf_puts(buf, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---- tasks ---- */

static void append_addresses(struct buf *buf, const struct task *task)
{
    buf_puts(buf, ",\"ipAddresses\":[");
    for (size_t i = 0; task->state != TASK_STAGING && i < task->n_addresses; i++) {
        buf_printf(buf, "%s{\"ipAddress\":\"%s\",\"protocol\":\"%s\"}", i > 0 ? "," : "", task->addresses[i].ip,
                   task->addresses[i].is_v6 ? "IPv6" : "IPv4");
    }
    buf_puts(buf, "],\"ports\":[");
    for (size_t i = 0; task->state != TASK_ENDED && i < task->n_ports; i++) {
        buf_printf(buf, "%s%d", i > 0 ? "," : "", task->ports[i]);
    }
    buf_puts(buf, "],\"servicePorts\":[");
}

static void append_service_ports(struct buf *buf, const struct app *app)
{
    size_t count = json_object_is_type(app->ports, json_type_array) ? json_object_array_length(app->ports) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *port = json_object_array_get_idx(app->ports, i);
        struct json_object *number = NULL;
        if (json_object_object_get_ex(port, app->is_host_network ? "port" : "servicePort", &number)) {
            buf_printf(buf, "%s%d", i > 0 ? "," : "", json_object_get_int(number));
        }
    }
}

static void append_times(struct buf *buf, const struct task *task)
{
    cleanup_free char *staged = sim_time(task->staged_ms);
    cleanup_free char *started = sim_time(task->started_ms);
    buf_printf(buf, ",\"stagedAt\":\"%s\"", staged);
    if (task->started_ms > 0) {
        buf_printf(buf, ",\"startedAt\":\"%s\"", started);
    }
    buf_printf(buf, ",\"version\":\"%s\"", task->version);
}

void show_task(struct buf *buf, const struct task *task, bool with_service_ports)
{
    buf_puts(buf, "{\"appId\":");
    show_quote(buf, task->app_id);
    buf_puts(buf, ",\"healthCheckResults\":[");
    checks_append_health(buf, task);
    buf_printf(buf, "],\"host\":\"%s\",\"id\":", task->host);
    show_quote(buf, task->id);
    append_addresses(buf, task);
    if (with_service_ports) {
        append_service_ports(buf, task->app);
    }
    buf_printf(buf, "],\"slaveId\":\"%s\",\"state\":\"%s\"", task->slave, task_status(task));
    if (task->state != TASK_ENDED) {
        append_times(buf, task);
    }
    buf_puts(buf, ",\"localVolumes\":[],\"region\":\"local\",\"zone\":\"zone-a\",\"role\":\"*\"}");
}

/* ---- apps ---- */

struct counts {
    unsigned staged, running, healthy, unhealthy;
    double seconds; /* that they have lived, together */
    unsigned lived;
};

/* only: tasks of that kind. TASK_KILLING is in none but healthy; TASK_STARTING is in none. */
static struct counts count_tasks(const struct app *app, bool (*only)(const struct task *task))
{
    struct counts counts = {0};
    int64_t now_ms = sim_now_ms();
    for (const struct task *task = app->tasks; task; task = task->next) {
        if (task->state == TASK_SCHEDULED || (only && !only(task))) {
            continue;
        }
        counts.staged += task->state == TASK_STAGING;
        counts.running += task->state == TASK_RUNNING;
        counts.healthy += task->state != TASK_ENDED && task->health == VERDICT_GOOD;
        counts.unhealthy += task->state != TASK_ENDED && task->health == VERDICT_BAD;
        if (task->started_ms > 0 && task->state != TASK_ENDED) {
            counts.lived++;
            counts.seconds += (double)(now_ms - task->started_ms) / 1000;
        }
    }
    return counts;
}

static bool is_after_scaling(const struct task *task)
{
    return task->staged_ms >= task->app->scaled_ms;
}

static bool is_latest(const struct task *task)
{
    return task->generation == task->app->generation;
}

static bool is_outdated(const struct task *task)
{
    return !is_latest(task);
}

static void append_stats(struct buf *buf, const struct app *app)
{
    static const struct {
        const char *name;
        bool (*only)(const struct task *task);
    } groups[] = {
        {"startedAfterLastScaling", is_after_scaling},
        {"withLatestConfig", is_latest},
        {"withOutdatedConfig", is_outdated},
        {"totalSummary", NULL},
    };
    const char *comma = "";
    buf_puts(buf, ",\"tasksStats\":{");
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct counts counts = count_tasks(app, groups[i].only);
        if (counts.lived > 0) {
            double average = counts.seconds / counts.lived;
            buf_printf(buf,
                       "%s\"%s\":{\"stats\":{\"counts\":{\"staged\":%u,\"running\":%u,\"healthy\":%u,\"unhealthy\":%u},"
                       "\"lifeTime\":{\"averageSeconds\":%.4f,\"medianSeconds\":%.4f}}}",
                       comma, groups[i].name, counts.staged, counts.running, counts.healthy, counts.unhealthy, average,
                       average);
            comma = ",";
        }
    }
    buf_puts(buf, "}");
}

static void append_readiness(struct buf *buf, const struct app *app)
{
    struct json_object *results = checks_show_readiness(app);
    buf_puts(buf, ",\"readinessCheckResults\":");
    append_object(buf, results);
    json_object_put(results);
}

static void append_tasks(struct buf *buf, const struct app *app)
{
    const char *comma = "";
    buf_puts(buf, ",\"tasks\":[");
    for (const struct task *task = app->tasks; task; task = task->next) {
        if (task->state != TASK_SCHEDULED) {
            buf_puts(buf, comma);
            show_task(buf, task, false);
            comma = ",";
        }
    }
    buf_puts(buf, "]");
}

void show_app(struct buf *buf, const struct app *app, unsigned embed)
{
    buf_puts(buf, app->text);
    if (embed & EMBED_COUNTS) {
        struct counts counts = count_tasks(app, NULL);
        buf_printf(buf, ",\"tasksStaged\":%u,\"tasksRunning\":%u,\"tasksHealthy\":%u,\"tasksUnhealthy\":%u",
                   counts.staged, counts.running, counts.healthy, counts.unhealthy);
    }
    if ((embed & EMBED_DEPLOYMENTS) && app->deployment) {
        buf_printf(buf, ",\"deployments\":[{\"id\":\"%s\"}]", app->deployment->id);
    } else if (embed & EMBED_DEPLOYMENTS) {
        buf_puts(buf, ",\"deployments\":[]");
    }
    if (embed & EMBED_READINESS) {
        append_readiness(buf, app);
    }
    if (embed & EMBED_TASKS) {
        append_tasks(buf, app);
    }
    if ((embed & EMBED_LAST_FAILURE) && app->last_failure) {
        buf_puts(buf, ",\"lastTaskFailure\":");
        append_object(buf, app->last_failure);
    }
    if (embed & EMBED_STATS) {
        append_stats(buf, app);
    }
    buf_puts(buf, "}");
}

/* `KEY`, `KEY==VALUE`, `KEY!=VALUE`: as much of the selectors as is used. */
static bool label_fits(const struct app *app, const char *selector)
{
    struct json_object *labels = NULL;
    struct json_object *value = NULL;
    const char *equals = strstr(selector, "==");
    const char *differs = strstr(selector, "!=");
    const char *mark = equals ? equals : differs;
    cleanup_free char *key = mark ? mem_strndup(selector, (size_t)(mark - selector)) : mem_strdup(selector);
    bool found =
        json_object_object_get_ex(app->definition, "labels", &labels) && json_object_object_get_ex(labels, key, &value);
    if (!mark) {
        return found;
    }
    bool same = found && strcmp(json_object_get_string(value), mark + 2) == 0;
    return equals ? same : !same;
}

/* The order of apps changes between answers, as a real Marathon's does. */
void show_apps(struct buf *buf, const struct sim *sim, unsigned embed, const char *id, const char *label)
{
    const char *comma = "";
    buf_puts(buf, "{\"apps\":[");
    for (unsigned round = 0; round < 2; round++) {
        size_t i = 0;
        for (const struct app *app = sim->apps; app; app = app->next, i++) {
            bool fits = (!id || strstr(app->id, id)) && (!label || label_fits(app, label));
            if (fits && (i + sim->fetches) % 2 == round) {
                buf_puts(buf, comma);
                show_app(buf, app, embed);
                comma = ",";
            }
        }
    }
    buf_puts(buf, "]}");
}
