/* SPDX-License-Identifier: MIT */
/* Marathon's REST resources, as far as slotd, its users' tools and the tests use them: all but the apps. */
#include <string.h>

#include "sim.h"

static bool is_authorized(const struct http_peer *peer)
{
    const struct options *options = &peer->sim->options;
    cleanup_free char *wanted = NULL;
    if (options->user) {
        /* The test gives user and password as the base64 that it expects. */
        wanted = mem_printf("Basic %s", options->password);
    } else if (options->token) {
        wanted = mem_printf("token=%s", options->token);
    }
    return !wanted || (peer->authorization && strcmp(peer->authorization, wanted) == 0);
}

static bool is_method(const struct http_peer *peer, const char *method)
{
    return strcmp(peer->method, method) == 0;
}

static bool is_read(const struct http_peer *peer)
{
    return is_method(peer, "GET") || is_method(peer, "HEAD");
}

static void answer_ping(struct http_peer *peer)
{
    bool as_json = peer->accept && strcmp(peer->accept, "application/json") == 0;
    const char *type = as_json ? "application/json" : "text/plain";
    const char *body = as_json ? "\"pong\"" : "pong";
    cleanup_free char *headers =
        mem_printf("%s\r\nVary: Accept%s", type, is_method(peer, "GET") ? "\r\nVary: Accept-Encoding, User-Agent" : "");
    http_answer(peer, 200, "OK", "", headers, body, strlen(body));
}

static const char *leader_address(const struct sim *sim)
{
    const char *address = strstr(sim->leader, "://");
    return address ? address + 3 : sim->leader;
}

static void handle_leader(struct http_peer *peer)
{
    if (is_method(peer, "DELETE")) {
        http_answer_message(peer, 200, "OK", "Leadership abdicated", true);
        events_drop_streams(peer->sim);
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "leader", json_object_new_string(leader_address(peer->sim)));
    http_answer_object(peer, object);
}

static void answer_info(struct http_peer *peer)
{
    const char *leader = leader_address(peer->sim);
    cleanup_free char *text = mem_printf(
        "{\"name\":\"marathon\",\"version\":\"1.11.26\",\"buildref\":\"90619da70d79a2ecf19368a21c6a695ea981bd74\","
        "\"elected\":true,\"leader\":\"%s\",\"frameworkId\":\"b1f0a7c4-5d0e-4a39-9a56-0c2f3c9be0d1-0000\","
        "\"marathon_config\":{\"access_control_allow_origin\":null,\"checkpoint\":true,\"decline_offer_duration\":"
        "120000,\"default_network_name\":null,\"env_vars_prefix\":null,\"executor\":\"//cmd\",\"failover_timeout\":"
        "604800,\"features\":[],\"framework_name\":\"marathon\",\"ha\":true,\"hostname\":\"127.0.0.1\","
        "\"launch_token\":100,\"launch_token_refresh_interval\":30000,\"leader_proxy_connection_timeout_ms\":5000,"
        "\"leader_proxy_read_timeout_ms\":10000,\"local_port_max\":20000,\"local_port_min\":10000,\"master\":"
        "\"http://127.0.0.1:5050\",\"max_instances_per_offer\":5,\"mesos_bridge_name\":\"mesos-bridge\","
        "\"mesos_heartbeat_failure_threshold\":5,\"mesos_heartbeat_interval\":15000,\"mesos_leader_ui_url\":"
        "\"http://127.0.0.1:5050/\",\"mesos_role\":\"*\",\"mesos_user\":\"root\",\"new_group_enforce_role\":\"Off\","
        "\"min_revive_offers_interval\":5000,\"offer_matching_timeout\":3000,\"on_elected_prepare_timeout\":180000,"
        "\"reconciliation_initial_delay\":15000,\"reconciliation_interval\":600000,\"scale_apps_initial_delay\":15000,"
        "\"scale_apps_interval\":300000,\"store_cache\":true,\"task_launch_confirm_timeout\":300000,"
        "\"task_launch_timeout\":300000,\"task_lost_expunge_initial_delay\":300000,\"task_lost_expunge_interval\":"
        "30000,\"task_reservation_timeout\":20000,\"webui_url\":null,\"maintenance_mode\":true},\"zookeeper_config\":"
        "{\"zk\":\"zk://127.0.0.1:28082/marathon\",\"zk_compression\":true,\"zk_compression_threshold\":65536,"
        "\"zk_connection_timeout\":10000,\"zk_max_node_size\":1024000,\"zk_max_versions\":50,\"zk_session_timeout\":"
        "10000,\"zk_timeout\":10000},\"http_config\":{\"http_port\":%d,\"https_port\":8443}}",
        leader, peer->member->port);
    http_answer_body(peer, text, strlen(text));
}

/* ---- the stream ---- */

static void handle_events(struct http_peer *peer)
{
    if (faults_apply(peer, "", 0)) {
        return;
    }
    if (peer->member->is_standby) {
        cleanup_free char *location =
            mem_printf("%s/v2/events%s%s", peer->sim->leader, peer->query[0] ? "?" : "", peer->query);
        http_answer_redirect(peer, location);
        return;
    }
    if (!peer->accept || strcmp(peer->accept, "text/event-stream") != 0) {
        cleanup_free char *headers =
            mem_printf("X-Marathon-Leader: %s\r\nX-Frame-Options: DENY\r\nX-XSS-Protection: 1; mode=block\r\n"
                       "Pragma: no-cache\r\n",
                       peer->sim->leader);
        http_answer_page(peer, 405, "HTTP method GET is not supported by this URL", headers);
        return;
    }
    events_attach(peer);
}

/* ---- which resource ---- */

static bool accepts_json(const struct http_peer *peer)
{
    return !peer->accept || strstr(peer->accept, "*/*") || strstr(peer->accept, "application/json") ||
           strstr(peer->accept, "application/*");
}

/* What no Accept can refuse, or has its own rules. */
static bool handle_plain(struct http_peer *peer, const char *path)
{
    if (strcmp(path, "/ping") == 0) {
        answer_ping(peer);
    } else if (strcmp(path, "/") == 0) {
        cleanup_free char *location = mem_printf("Location: %s/ui/\r\n", peer->sim->leader);
        http_answer(peer, 302, "Found", location, NULL, "", 0);
    } else if (strcmp(path, "/v2/events") == 0) {
        handle_events(peer);
    } else {
        return false;
    }
    return true;
}

/* There are neither groups to be asked for nor pods. */
static void answer_nothing(struct http_peer *peer, bool is_group, const char *path)
{
    const char *colons = strstr(path, "::status");
    cleanup_free char *id = mem_strndup(path, colons ? (size_t)(colons - path) : strlen(path));
    cleanup_free char *message = is_group ? mem_printf("Group '%s' does not exist", id)
                                 : colons ? mem_printf("Pod '%s' does not exist", id)
                                          : mem_printf("{\"message\": \"pod with %s does not exist\"}", id);
    http_answer_message(peer, 404, "Not Found", message, true);
}

static void handle_resource(struct http_peer *peer, const char *path)
{
    if (strcmp(path, "/v2/apps") == 0 || strcmp(path, "/v2/apps/") == 0) {
        api_handle_apps(peer);
    } else if (strncmp(path, "/v2/apps/", 9) == 0) {
        api_handle_app(peer, path + 8);
    } else if (strcmp(path, "/v2/tasks") == 0 || strcmp(path, "/v2/tasks/delete") == 0) {
        api_handle_tasks(peer, path + 9);
    } else if (strcmp(path, "/v2/leader") == 0) {
        handle_leader(peer);
    } else if (strcmp(path, "/v2/info") == 0 && is_read(peer)) {
        answer_info(peer);
    } else if (strcmp(path, "/v2/deployments") == 0 && is_read(peer)) {
        http_answer_object(peer, deployment_show_all(peer->sim));
    } else if (strncmp(path, "/v2/groups//", 12) == 0 && is_read(peer)) {
        answer_nothing(peer, true, path + 11);
    } else if (strncmp(path, "/v2/pods//", 10) == 0 && is_read(peer)) {
        answer_nothing(peer, false, path + 9);
    } else if ((strcmp(path, "/v2/pods") == 0 || strcmp(path, "/v2/pods/::status") == 0) && is_read(peer)) {
        http_answer_body(peer, "[]", 2);
    } else {
        http_answer_message(peer, 500, "Internal Server Error", "URI not found", false);
    }
}

void api_handle(struct http_peer *peer)
{
    if (!is_authorized(peer)) {
        http_answer_page(peer, 401, "Unauthorized", "WWW-Authenticate: basic realm=\"null\"\r\n");
    } else if (peer->member->is_standby && strcmp(peer->path, "/v2/events") != 0) {
        standby_relay(peer);
    } else if (handle_plain(peer, peer->path)) {
        return;
    } else if (!accepts_json(peer)) {
        http_answer_message(peer, 406, "Not Acceptable", "Not Acceptable", false);
    } else {
        handle_resource(peer, peer->path);
    }
}
