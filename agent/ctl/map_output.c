/* SPDX-License-Identifier: MIT */
/* Services as JSON, and the whole way from a saved answer to it. */
#include "slotd/map_output.h"

#include <arpa/inet.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/marathon.h"
#include "slotd/mem.h"
#include "slotd/text.h"

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

static struct json_object *render_endpoint(const struct service *service, const struct service_part *part,
                                           const struct endpoint *endpoint, const struct map_output_places *places)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "app", json_object_new_string(endpoint->app));
    json_object_object_add(object, "task", json_object_new_string(endpoint->task));
    json_object_object_add(object, "segment", json_object_new_string(part->segment));
    json_object_object_add(object, "server", json_object_new_string(endpoint->server));
    json_object_object_add(object, "host", json_object_new_string(endpoint->host));
    json_object_object_add(object, "address", text_or_null(places->address(places->arg, endpoint)));
    json_object_object_add(object, "port", json_object_new_int(endpoint->port));
    json_object_object_add(object, "protocol", json_object_new_string(endpoint->protocol));
    json_object_object_add(object, "weight", json_object_new_int(places->weight(places->arg, endpoint)));
    const char *phase = endpoint_phase_text(places->phase(places->arg, service, part, endpoint));
    json_object_object_add(object, "phase", json_object_new_string(phase));
    json_object_object_add(object, "slot", text_or_null(places->slot(places->arg, service, part, endpoint)));
    if (places->state) {
        json_object_object_add(object, "state", text_or_null(places->state(places->arg, service, part, endpoint)));
    }
    return object;
}

static struct json_object *render_apps(const struct service *service)
{
    struct json_object *apps = json_object_new_array();
    for (size_t i = 0; i < service->n_parts; i++) {
        if (i == 0 || strcmp(service->parts[i - 1]->app, service->parts[i]->app) != 0) {
            json_object_array_add(apps, json_object_new_string(service->parts[i]->app));
        }
    }
    return apps;
}

/* A service of mode http has none of it. */
static void render_tcp(const struct service *service, struct json_object *object)
{
    struct json_object *names = json_object_new_array();
    for (size_t i = 0; i < service->tcp.n_names; i++) {
        json_object_array_add(names, json_object_new_string(service->tcp.names[i]));
    }
    json_object_object_add(object, "tcp_port", service->tcp.port ? json_object_new_int(service->tcp.port) : NULL);
    json_object_object_add(object, "sni", names);
}

static struct json_object *render_redirect(const struct access_redirect *redirect)
{
    struct json_object *object = redirect->target ? json_object_new_object() : NULL;
    if (object) {
        json_object_object_add(object, "to", json_object_new_string(redirect->target));
        json_object_object_add(object, "permanent", json_object_new_boolean(redirect->permanent));
        json_object_object_add(object, "host", text_or_null(redirect->host));
    }
    return object;
}

struct json_object *map_output_access(const struct access *access)
{
    struct json_object *object = json_object_new_object();
    struct json_object *points = json_object_new_array();
    struct json_object *ranges = access->listed ? json_object_new_array() : NULL;
    cleanup_buf struct buf summary = BUF_INIT;
    char text[ACCESS_CIDR_BYTES];
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        if (access->points & (1U << i)) {
            json_object_array_add(points, json_object_new_string(access_point_name((enum access_point)i)));
        }
    }
    for (size_t i = 0; i < access->n_ranges; i++) {
        access_range_format(&access->ranges[i], text);
        json_object_array_add(ranges, json_object_new_string(text));
    }
    access_describe(access, &summary);
    json_object_object_add(object, "summary", json_object_new_string(buf_text(&summary)));
    json_object_object_add(object, "entry_points", points);
    json_object_object_add(object, "closed", json_object_new_boolean(access->closed));
    json_object_object_add(object, "whitelist", ranges);
    json_object_object_add(object, "redirect", render_redirect(&access->redirect));
    return object;
}

struct json_object *map_output_service(const struct service *service, const struct map_output_places *places)
{
    struct json_object *object = json_object_new_object();
    struct json_object *endpoints = json_object_new_array();
    for (size_t p = 0; p < service->n_parts; p++) {
        for (size_t e = 0; e < service->parts[p]->n_endpoints; e++) {
            const struct endpoint *endpoint = &service->parts[p]->endpoints[e];
            bool is_kept = !endpoint->kept_only || places->slot(places->arg, service, service->parts[p], endpoint);
            if (endpoint->phase != ENDPOINT_GONE && is_kept) {
                json_object_array_add(endpoints, render_endpoint(service, service->parts[p], endpoint, places));
            }
        }
    }
    json_object_object_add(object, "name", json_object_new_string(service->name));
    json_object_object_add(object, "apps", render_apps(service));
    json_object_object_add(object, "segment",
                           json_object_new_string(service->n_parts > 0 ? service->parts[0]->segment : ""));
    json_object_object_add(object, "mode", json_object_new_string(service->mode));
    json_object_object_add(object, "rule", json_object_new_string(service->rule));
    json_object_object_add(object, "backend", text_or_null(places->backend(places->arg, service)));
    json_object_object_add(object, "frontend", json_object_new_string(service->frontend));
    json_object_object_add(object, "access", map_output_access(service->access));
    if (strcmp(service->mode, "tcp") == 0) {
        render_tcp(service, object);
    }
    json_object_object_add(object, "endpoints", endpoints);
    return object;
}

struct json_object *map_output_problem(const char *app, const char *task, const char *segment, const char *code,
                                       const char *message)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "app", text_or_null(app));
    json_object_object_add(object, "task", text_or_null(task));
    json_object_object_add(object, "segment", json_object_new_string(segment));
    json_object_object_add(object, "code", json_object_new_string(code));
    json_object_object_add(object, "message", json_object_new_string(message));
    return object;
}

struct json_object *map_output_problems(const struct services *services)
{
    size_t count = 0;
    const struct problem **problems = services_list_problems(services, &count);
    struct json_object *rendered = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        const struct problem *problem = problems[i];
        json_object_array_add(rendered, map_output_problem(problem->app, problem->task, problem->segment, problem->code,
                                                           problem->message));
    }
    free(problems);
    return rendered;
}

struct json_object *map_output_document(struct json_object *services, struct json_object *problems)
{
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "services", services);
    json_object_object_add(document, "problems", problems);
    return document;
}

/* ---- without a daemon ---- */

static const char *offline_backend(void *arg, const struct service *service)
{
    (void)arg;
    (void)service;
    return NULL;
}

static int32_t offline_weight(void *arg, const struct endpoint *endpoint)
{
    (void)arg;
    return endpoint->weight;
}

/* Whether what is unhealthy drains is judged where it serves. */
static enum endpoint_phase offline_phase(void *arg, const struct service *service, const struct service_part *part,
                                         const struct endpoint *endpoint)
{
    (void)arg;
    (void)service;
    (void)part;
    return endpoint->phase;
}

static const char *offline_address(void *arg, const struct endpoint *endpoint)
{
    (void)arg;
    return text_is_ip(endpoint->host) ? endpoint->host : NULL;
}

static const char *offline_slot(void *arg, const struct service *service, const struct service_part *part,
                                const struct endpoint *endpoint)
{
    (void)arg;
    (void)service;
    (void)part;
    (void)endpoint;
    return NULL;
}

struct offline {
    struct mapper *mapper;
    struct services *services;
    struct problem_list malformed; /* apps that could not be read */
    int64_t now_ms;
};

static int offline_take_app(void *arg, const char *json, size_t len)
{
    struct offline *offline = arg;
    struct marathon_app *app = NULL;
    struct app_mapping *mapping = NULL;
    cleanup_free char *id = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (marathon_app_parse(json, len, &app, &id, &why)) {
        problem_list_add(&offline->malformed, id, NULL, "", "app-malformed", "%s", buf_text(&why));
        return 0;
    }
    mapper_map_app(offline->mapper, app, MAPPER_OFFLINE, offline->now_ms, NULL, NULL, &mapping);
    services_set_app(offline->services, mapping);
    marathon_app_free(app);
    return 0;
}

static struct json_object *offline_render(const struct offline *offline)
{
    static const struct map_output_places nowhere = {
        .backend = offline_backend,
        .address = offline_address,
        .slot = offline_slot,
        .weight = offline_weight,
        .phase = offline_phase,
    };
    size_t count = 0;
    const struct service **list = services_list(offline->services, &count);
    struct json_object *services = json_object_new_array();
    struct json_object *problems = map_output_problems(offline->services);
    for (size_t i = 0; i < count; i++) {
        json_object_array_add(services, map_output_service(list[i], &nowhere));
    }
    free(list);
    for (size_t i = 0; i < offline->malformed.count; i++) {
        const struct problem *problem = &offline->malformed.items[i];
        json_object_array_add(problems, map_output_problem(problem->app, NULL, "", problem->code, problem->message));
    }
    return map_output_document(services, problems);
}

/* An answer for one app, {"app": {...}}. One that can be named but not read is a problem of that app. */
static int offline_read_single(struct offline *offline, const char *json, size_t len)
{
    struct marathon_app *app = NULL;
    cleanup_free char *id = NULL;
    int err = marathon_app_parse(json, len, &app, &id, NULL);
    marathon_app_free(app);
    return id ? offline_take_app(offline, json, len) : err;
}

int map_output_services(const char *json, size_t len, const struct config *config, int64_t now_ms,
                        struct services **ret_services, struct problem_list *ret_malformed, struct buf *why)
{
    struct offline offline = {.now_ms = now_ms};
    int err = mapper_new(&config->mapping, &offline.mapper, why);
    if (err) {
        return err;
    }
    offline.services = services_new(0);
    struct apps_reader *reader = apps_reader_new("apps", MARATHON_MAX_APP_BYTES, offline_take_app, &offline);
    (void)apps_reader_feed(reader, json, len);
    cleanup_buf struct buf reason = BUF_INIT;
    err = apps_reader_finish(reader, &reason);
    apps_reader_free(reader);
    if (err && offline_read_single(&offline, json, len) == 0) {
        err = 0;
    }
    mapper_free(offline.mapper);
    if (err) {
        buf_puts(why, buf_text(&reason));
        problem_list_free(&offline.malformed);
        services_free(offline.services);
        return err;
    }
    *ret_services = offline.services;
    *ret_malformed = offline.malformed;
    return 0;
}

int map_output_file(const char *json, size_t len, const struct config *config, int64_t now_ms,
                    struct json_object **ret_document, struct buf *why)
{
    struct offline offline = {0};
    int err = map_output_services(json, len, config, now_ms, &offline.services, &offline.malformed, why);
    if (!err) {
        *ret_document = offline_render(&offline);
        problem_list_free(&offline.malformed);
        services_free(offline.services);
    }
    return err;
}
