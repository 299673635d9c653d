/* SPDX-License-Identifier: MIT */
/* Fuzz target: what labels make of two apps. The first byte picks options and networks; then lines KEY=VALUE, a line of
 * `-` goes on to the second app. Whatever they say, what comes out may go to HAProxy and to a reader. */
#include "fuzz.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/mapping.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define MAX_LABELS 64

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- the apps ---- */

static const char *const networks[] = {
    "\"portDefinitions\":[{\"port\":31000,\"name\":\"http\"},{\"port\":31001,\"name\":\"admin\"}],"
    "\"networks\":[{\"mode\":\"host\"}]",
    "\"container\":{\"portMappings\":[{\"containerPort\":80,\"hostPort\":0,\"name\":\"http\"},{\"containerPort\":81}]},"
    "\"networks\":[{\"mode\":\"container/bridge\"}]",
    "\"container\":{\"portMappings\":[{\"containerPort\":80,\"name\":\"http\"},{\"containerPort\":0}]},"
    "\"networks\":[{\"mode\":\"container\",\"name\":\"dcos\"}]",
    "\"ipAddress\":{\"discovery\":{\"ports\":[{\"number\":8080,\"name\":\"http\"}]}}",
};

static char *app_make_json(const char *id, unsigned network, struct json_object *labels)
{
    return mem_printf(
        "{\"id\":\"%s\",\"version\":\"v\",\"instances\":2,\"labels\":%s,%s,\"tasks\":["
        "{\"id\":\"t.1\",\"host\":\"node1\",\"state\":\"TASK_RUNNING\",\"ports\":[31000,31001],\"version\":\"v\","
        "\"ipAddresses\":[{\"ipAddress\":\"10.0.0.1\",\"protocol\":\"IPv4\"}]},"
        "{\"id\":\"t.2\",\"host\":\"10.1.1.1\",\"state\":\"TASK_KILLING\",\"ports\":[],\"version\":\"v\","
        "\"ipAddresses\":[{\"ipAddress\":\"10.0.0.2\"},{\"ipAddress\":\"fd00::2\"}]}]}",
        id, json_object_to_json_string_ext(labels, JSON_C_TO_STRING_PLAIN), networks[network]);
}

static struct marathon_app *app_make(const char *id, unsigned network, struct json_object *labels)
{
    struct marathon_app *app = NULL;
    cleanup_free char *json = app_make_json(id, network, labels);
    /* What is no UTF-8 is refused here; the mapper has seen it all the same by other ways. */
    return marathon_app_parse(json, strlen(json), &app, NULL, NULL) == 0 ? app : NULL;
}

/* ---- what may come out ---- */

/* Rules are taken as they are written, so that what a reader does not see (a joiner) may be in them; no control. */
static bool has_controls(const char *text)
{
    while (*text && text_control_length(text) == 0) {
        text++;
    }
    return *text != '\0';
}

/* Whatever the labels say: what goes into HAProxy's maps is of their alphabet, and is read back as it was. */
static void check_access(const struct access *access, const char *backend)
{
    struct access_way ways[ACCESS_POINTS] = {{.backend = backend}, {.backend = backend}};
    cleanup_buf struct buf list = BUF_INIT;
    cleanup_buf struct buf text = BUF_INIT;
    char prefixes[ACCESS_MAX_PREFIXES][ACCESS_PREFIX_BYTES];
    require(access->points != 0 && (access->points & ~ACCESS_EVERYWHERE) == 0);
    require(access->n_ranges == 0 || access->listed);
    require(!access->listed || access->closed || access->n_ranges > 0);
    for (size_t i = 0; i < access->n_ranges; i++) {
        size_t count = access_range_expand(&access->ranges[i], prefixes);
        require(count >= 1 && count <= ACCESS_MAX_PREFIXES);
        require(i == 0 || memcmp(&access->ranges[i - 1], &access->ranges[i], sizeof(*access->ranges)) != 0);
    }
    access_describe(access, &text);
    require(text_is_plain(buf_text(&text)));
    if (access->redirect.target) {
        buf_clear(&text);
        access_redirect_format(&access->redirect, &text);
        require(text_is_map_word(buf_text(&text)) && strchr(buf_text(&text), '=') == strrchr(buf_text(&text), '='));
    }
    access_whitelist_name(access, backend, &list);
    ways[0].whitelist = access->closed ? "!" : buf_text(&list);
    ways[1].redirect = backend;
    buf_clear(&text);
    access_value_format(ways, &text);
    require(text_is_map_word(buf_text(&text)) && !text_is_haproxy_name(buf_text(&text)));
    for (size_t i = 0; i < ACCESS_POINTS; i++) {
        size_t len = 0;
        const char *named = access_value_backend(buf_text(&text), (enum access_point)i, &len);
        require(named && len == strlen(backend) && strncmp(named, backend, len) == 0);
    }
}

static void check_part(const struct service_part *part)
{
    check_access(&part->access, part->backend);
    require(part->name[0] && text_is_haproxy_name(part->backend) && !has_controls(part->rule));
    require(!part->check.path || (part->check.path[0] == '/' && text_is_map_word(part->check.path)));
    require(!part->check.host || text_is_host_name(part->check.host) || text_is_ip(part->check.host));
    for (size_t i = 0; i < part->n_endpoints; i++) {
        const struct endpoint *endpoint = &part->endpoints[i];
        require(endpoint->phase == ENDPOINT_GONE ||
                ((text_is_ip(endpoint->host) || text_is_host_name(endpoint->host)) && endpoint->port > 0 &&
                 endpoint->port <= UINT16_MAX));
        require(endpoint->weight >= 0);
    }
}

static void check_mapping(const struct app_mapping *mapping)
{
    for (size_t i = 0; i < mapping->n_parts; i++) {
        check_part(&mapping->parts[i]);
    }
    for (size_t i = 0; i < mapping->problems.count; i++) {
        require(text_is_plain(mapping->problems.items[i].message));
    }
}

static void map_app(const struct mapper *mapper, struct services *services, const struct marathon_app *app)
{
    struct app_mapping *offline = NULL;
    struct app_mapping *live = NULL;
    struct app_mapping *again = NULL;
    mapper_map_app(mapper, app, MAPPER_OFFLINE, 0, NULL, NULL, &offline);
    mapper_map_app(mapper, app, MAPPER_LIVE, 0, NULL, NULL, &live);
    mapper_map_app(mapper, app, MAPPER_LIVE, 0, NULL, NULL, &again);
    check_mapping(offline);
    check_mapping(live);
    require(app_mapping_equal(live, again));
    services_set_app(services, live);
    app_mapping_free(offline);
    app_mapping_free(again);
}

static void check_services(struct services *services)
{
    size_t count = 0;
    const struct service **list = services_list(services, &count);
    for (size_t i = 0; i < count; i++) {
        require(text_is_haproxy_name(list[i]->backend));
        require(services_get_backend(services, list[i]->backend) == list[i]);
    }
    free(list);
}

/* ---- the input ---- */

static void read_labels(char **rest, struct json_object *labels)
{
    int64_t number = 0;
    char *line;
    for (int count = 0; count < MAX_LABELS && (line = strsep(rest, "\n")) && strcmp(line, "-") != 0; count++) {
        char *value = strchr(line, '=');
        if (value) {
            *value++ = '\0';
            (void)text_parse_duration(value, &number);
            (void)text_parse_time(value, &number);
            json_object_object_add(labels, line, json_object_new_string(value));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned options = size > 0 ? data[0] : 0;
    cleanup_free char *text = mem_strndup(size > 1 ? (const char *)data + 1 : "", size > 1 ? size - 1 : 0);
    char *rest = text;
    struct config *config = config_new_default();
    struct mapper *mapper = NULL;
    struct services *services = services_new(1);
    config->mapping.groups_as_subdomains = options & 1;
    config->mapping.marathon_lb_compatibility = options & 2;
    config->mapping.force_task_hostname = options & 4;
    config->mapping.respect_readiness_checks = options & 8;
    require(mapper_new(&config->mapping, &mapper, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        struct json_object *labels = json_object_new_object();
        read_labels(&rest, labels);
        struct marathon_app *app = app_make(i == 0 ? "/a" : "/group/b", (options >> 4) % 4, labels);
        if (app) {
            map_app(mapper, services, app);
        }
        marathon_app_free(app);
        json_object_put(labels);
    }
    check_services(services);
    services_remove_app(services, "/a");
    check_services(services);
    services_free(services);
    mapper_free(mapper);
    config_free(config);
    return 0;
}
