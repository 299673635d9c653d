/* SPDX-License-Identifier: MIT */
/* App definitions: what POST and PUT bring, completed with Marathon's defaults and in the shapes of its answers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define FIRST_SERVICE_PORT 10000

static struct json_object *find(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static bool text_is(struct json_object *object, const char *key, const char *wanted)
{
    struct json_object *value = find(object, key);
    return value && strcmp(json_object_get_string(value), wanted) == 0;
}

static struct json_object *parse(const char *text)
{
    struct json_object *object = json_tokener_parse(text);
    if (!object) {
        abort();
    }
    return object;
}

static struct json_object *copy(struct json_object *object)
{
    struct json_object *same = NULL;
    json_object_deep_copy(object, &same, NULL);
    return same;
}

/* Adds what is missing; takes defaults. */
static void fill(struct json_object *object, struct json_object *defaults)
{
    json_object_object_foreach(defaults, key, value)
    {
        if (!json_object_object_get_ex(object, key, NULL)) {
            json_object_object_add(object, key, json_object_get(value));
        }
    }
    json_object_put(defaults);
}

static void fill_each(struct json_object *array, const char *defaults)
{
    size_t count = json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(array, i);
        if (json_object_is_type(item, json_type_object)) {
            fill(item, parse(defaults));
        }
    }
}

/* ---- what old fields meant ---- */

static void legacy_ports(struct json_object *app)
{
    struct json_object *ports = find(app, "ports");
    if (json_object_is_type(ports, json_type_array) && !find(app, "portDefinitions")) {
        struct json_object *definitions = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(ports); i++) {
            struct json_object *definition = json_object_new_object();
            json_object_object_add(definition, "port", json_object_get(json_object_array_get_idx(ports, i)));
            json_object_array_add(definitions, definition);
        }
        json_object_object_add(app, "portDefinitions", definitions);
    }
    json_object_object_del(app, "ports");
}

static struct json_object *discovery_mappings(struct json_object *address)
{
    struct json_object *ports = find(find(address, "discovery"), "ports");
    struct json_object *mappings = json_object_new_array();
    for (size_t i = 0; json_object_is_type(ports, json_type_array) && i < json_object_array_length(ports); i++) {
        struct json_object *port = json_object_array_get_idx(ports, i);
        struct json_object *mapping = json_object_new_object();
        json_object_object_add(mapping, "containerPort", json_object_get(find(port, "number")));
        json_object_object_add(mapping, "name", json_object_get(find(port, "name")));
        json_object_object_add(mapping, "protocol", json_object_get(find(port, "protocol")));
        json_object_array_add(mappings, mapping);
    }
    return mappings;
}

static void legacy_address(struct json_object *app)
{
    struct json_object *address = find(app, "ipAddress");
    if (json_object_is_type(address, json_type_object)) {
        struct json_object *network = parse("{\"mode\":\"container\"}");
        struct json_object *networks = json_object_new_array();
        struct json_object *container = parse("{\"type\":\"MESOS\"}");
        json_object_object_add(network, "name", json_object_get(find(address, "networkName")));
        json_object_array_add(networks, network);
        json_object_object_add(app, "networks", networks);
        json_object_object_add(container, "portMappings", discovery_mappings(address));
        json_object_object_add(app, "container", container);
    }
    json_object_object_del(app, "ipAddress");
}

/* ---- completing ---- */

static bool has_network_mode(struct json_object *app, const char *mode)
{
    struct json_object *networks = find(app, "networks");
    struct json_object *first =
        json_object_is_type(networks, json_type_array) ? json_object_array_get_idx(networks, 0) : NULL;
    return json_object_is_type(first, json_type_object) && text_is(first, "mode", mode);
}

static void complete_container(struct json_object *app)
{
    struct json_object *container = find(app, "container");
    if (!json_object_is_type(container, json_type_object)) {
        return;
    }
    struct json_object *docker = find(container, "docker");
    fill(container, parse("{\"type\":\"DOCKER\",\"volumes\":[]}"));
    if (json_object_is_type(docker, json_type_object)) {
        fill(docker, parse("{\"forcePullImage\":false,\"parameters\":[],\"privileged\":false}"));
    }
    /* Without a hostPort key a container network gives the task no port of the host; a bridge always does. */
    fill_each(find(container, "portMappings"),
              has_network_mode(app, "container/bridge")
                  ? "{\"containerPort\":0,\"hostPort\":0,\"labels\":{},\"protocol\":\"tcp\",\"servicePort\":0}"
                  : "{\"containerPort\":0,\"labels\":{},\"protocol\":\"tcp\",\"servicePort\":0}");
}

static void complete_checks(struct json_object *app)
{
    struct json_object *checks = find(app, "healthChecks");
    for (size_t i = 0; json_object_is_type(checks, json_type_array) && i < json_object_array_length(checks); i++) {
        struct json_object *check = json_object_array_get_idx(checks, i);
        fill(check, parse("{\"protocol\":\"HTTP\"}"));
        if (text_is(check, "protocol", "HTTP")) {
            fill(check, parse("{\"ignoreHttp1xx\":false}"));
        }
        if (!text_is(check, "protocol", "COMMAND")) {
            fill(check, parse("{\"portIndex\":0}"));
        }
    }
    fill_each(checks, "{\"gracePeriodSeconds\":300,\"intervalSeconds\":60,\"maxConsecutiveFailures\":3,"
                      "\"ipProtocol\":\"IPv4\",\"timeoutSeconds\":20,\"delaySeconds\":15}");
    fill_each(find(app, "readinessChecks"),
              "{\"name\":\"readinessCheck\",\"protocol\":\"HTTP\",\"path\":\"/\",\"portName\":\"http-api\","
              "\"intervalSeconds\":30,\"timeoutSeconds\":10,\"httpStatusCodesForReady\":[200],"
              "\"preserveLastResponse\":false}");
}

static void complete_ports(struct json_object *app)
{
    if (!find(app, "networks")) {
        json_object_object_add(app, "networks", parse("[{\"mode\":\"host\"}]"));
    }
    if (has_network_mode(app, "host")) {
        fill(app, parse("{\"portDefinitions\":[{\"port\":0,\"name\":\"default\",\"protocol\":\"tcp\"}]}"));
        fill_each(find(app, "portDefinitions"), "{\"port\":0,\"protocol\":\"tcp\"}");
    } else {
        json_object_object_del(app, "portDefinitions");
    }
}

/* Marathon shows these as numbers with a point, whatever they came as. */
static void complete_numbers(struct json_object *app)
{
    static const char *const names[] = {"cpus", "mem", "disk"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[40];
        double value = json_object_get_double(find(app, names[i]));
        snprintf(text, sizeof(text), value == floor(value) ? "%.1f" : "%.15g", value);
        json_object_object_add(app, names[i], json_object_new_double_s(value, text));
    }
}

static struct json_object *port_list(struct json_object *app, const char **ret_key)
{
    struct json_object *mappings = find(find(app, "container"), "portMappings");
    *ret_key = mappings ? "servicePort" : "port";
    return mappings ? mappings : find(app, "portDefinitions");
}

/* A service port of 0 in a new definition keeps the number that the old one got. */
static void keep_ports(struct json_object *app, struct json_object *old)
{
    const char *key = NULL;
    const char *old_key = NULL;
    struct json_object *ports = port_list(app, &key);
    struct json_object *old_ports = port_list(old, &old_key);
    size_t count = json_object_is_type(ports, json_type_array) ? json_object_array_length(ports) : 0;
    size_t old_count = json_object_is_type(old_ports, json_type_array) ? json_object_array_length(old_ports) : 0;
    for (size_t i = 0; i < count && i < old_count; i++) {
        struct json_object *port = json_object_array_get_idx(ports, i);
        struct json_object *old_port = find(json_object_array_get_idx(old_ports, i), old_key);
        if (json_object_get_int(find(port, key)) == 0 && old_port) {
            json_object_object_add(port, key, json_object_get(old_port));
        }
    }
}

struct json_object *definition_complete(struct json_object *given, struct json_object *old, const char *id)
{
    struct json_object *app = old ? copy(old) : json_object_new_object();
    struct json_object *own = copy(given);
    json_object_object_foreach(own, key, value)
    {
        json_object_object_add(app, key, json_object_get(value));
    }
    json_object_put(own);
    json_object_object_add(app, "id", json_object_new_string(id));
    legacy_ports(app);
    legacy_address(app);
    fill(app, parse("{\"backoffFactor\":1.15,\"backoffSeconds\":1,\"cpus\":1.0,\"disk\":0.0,\"executor\":\"\","
                    "\"instances\":1,\"labels\":{},\"maxLaunchDelaySeconds\":300,\"mem\":128.0,\"gpus\":0,"
                    "\"requirePorts\":false,\"upgradeStrategy\":{},\"killSelection\":\"YOUNGEST_FIRST\","
                    "\"unreachableStrategy\":{\"inactiveAfterSeconds\":0,\"expungeAfterSeconds\":0},\"role\":\"*\"}"));
    fill(find(app, "upgradeStrategy"), parse("{\"maximumOverCapacity\":1.0,\"minimumHealthCapacity\":1.0}"));
    complete_ports(app);
    complete_container(app);
    complete_checks(app);
    complete_numbers(app);
    if (old) {
        keep_ports(app, old);
    }
    return app;
}

const char *definition_refusal(struct json_object *given)
{
    if (!find(given, "id") || json_object_get_string(find(given, "id"))[0] == '\0') {
        return "must not be an empty string";
    }
    if (!find(given, "cmd") && !find(given, "args") && !find(given, "container")) {
        return "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.";
    }
    return NULL;
}

bool definition_differs(struct json_object *a, struct json_object *b)
{
    static const char *const ignored[] = {"instances", "version", "versionInfo"};
    struct json_object *first = copy(a);
    struct json_object *second = copy(b);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        json_object_object_del(first, ignored[i]);
        json_object_object_del(second, ignored[i]);
    }
    bool differs = !json_object_equal(first, second);
    json_object_put(first);
    json_object_put(second);
    return differs;
}

/* ---- service ports ---- */

static void each_port(struct sim *sim, struct json_object *definition, int by)
{
    const char *key = NULL;
    struct json_object *ports = port_list(definition, &key);
    size_t count = json_object_is_type(ports, json_type_array) ? json_object_array_length(ports) : 0;
    for (size_t i = 0; i < count; i++) {
        int index = json_object_get_int(find(json_object_array_get_idx(ports, i), key)) - FIRST_SERVICE_PORT;
        if (index >= 0 && (size_t)index < sizeof(sim->service_ports)) {
            sim->service_ports[index] = (unsigned char)(sim->service_ports[index] + by);
        }
    }
}

void definition_assign_ports(struct sim *sim, struct json_object *definition)
{
    const char *key = NULL;
    struct json_object *ports = port_list(definition, &key);
    size_t count = json_object_is_type(ports, json_type_array) ? json_object_array_length(ports) : 0;
    each_port(sim, definition, 1);
    for (size_t i = 0; i < count; i++) {
        struct json_object *port = json_object_array_get_idx(ports, i);
        const unsigned char *unused = memchr(sim->service_ports, 0, sizeof(sim->service_ports));
        if (json_object_get_int(find(port, key)) == 0 && unused) {
            int index = (int)(unused - sim->service_ports);
            sim->service_ports[index] = 1;
            json_object_object_add(port, key, json_object_new_int(FIRST_SERVICE_PORT + index));
        }
    }
}

void definition_release_ports(struct sim *sim, struct json_object *definition)
{
    each_port(sim, definition, -1);
}

/* ---- reading ---- */

static double number_of(struct json_object *object, const char *key, double otherwise)
{
    struct json_object *value = find(object, key);
    return value ? json_object_get_double(value) : otherwise;
}

void definition_apply(struct app *app)
{
    const char *key = NULL;
    struct json_object *definition = app->definition;
    struct json_object *upgrade = find(definition, "upgradeStrategy");
    struct json_object *unreachable = find(definition, "unreachableStrategy");
    bool is_disabled = json_object_is_type(unreachable, json_type_string);
    app->instances = (unsigned)number_of(definition, "instances", 1);
    app->ports = port_list(definition, &key);
    app->networks = find(definition, "networks");
    app->readiness_checks = find(definition, "readinessChecks");
    app->health_checks = find(definition, "healthChecks");
    app->is_container_network = has_network_mode(definition, "container");
    app->is_host_network = has_network_mode(definition, "host");
    app->require_ports = json_object_get_boolean(find(definition, "requirePorts"));
    app->minimum_health = number_of(upgrade, "minimumHealthCapacity", 1);
    app->over_capacity = number_of(upgrade, "maximumOverCapacity", 1);
    app->backoff_ms = (int64_t)(number_of(definition, "backoffSeconds", 1) * 1000);
    app->backoff_factor = number_of(definition, "backoffFactor", 1.15);
    app->inactive_after_ms = is_disabled ? -1 : (int64_t)(number_of(unreachable, "inactiveAfterSeconds", 0) * 1000);
    app->expunge_after_ms = is_disabled ? -1 : (int64_t)(number_of(unreachable, "expungeAfterSeconds", 0) * 1000);
    struct json_object *info = json_object_new_object();
    cleanup_free char *scaled = sim_time(app->scaled_ms);
    cleanup_free char *changed = sim_time(app->changed_ms);
    json_object_object_add(info, "lastScalingAt", json_object_new_string(scaled));
    json_object_object_add(info, "lastConfigChangeAt", json_object_new_string(changed));
    json_object_object_add(definition, "version", json_object_new_string(app->version));
    json_object_object_add(definition, "versionInfo", info);
    free(app->text);
    app->text =
        mem_strdup(json_object_to_json_string_ext(definition, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    app->text[strlen(app->text) - 1] = '\0';
}

const char *definition_env(const struct app *app, const char *name)
{
    struct json_object *env = find(app->definition, "env");
    struct json_object *value = json_object_is_type(env, json_type_object) ? find(env, name) : NULL;
    return value ? json_object_get_string(value) : NULL;
}
