/* SPDX-License-Identifier: MIT */
/* Host and port of a task, in all network modes. */
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- host ---- */

static bool app_is_on_container_network(const struct marathon_app *app)
{
    return app->has_networks ? app->network == MARATHON_NETWORK_CONTAINER : app->has_ip_address;
}

/* The address is the task's own, so that container ports count and not host ports. */
static bool address_is_own(const struct segment_view *view)
{
    return !view->mapper->config->force_task_hostname && app_is_on_container_network(view->app);
}

static const char *pick_address(const struct segment_view *view, const struct marathon_task *task)
{
    if (task->n_addresses == 0) {
        view_add_problem(view, task, "ip-address-missing",
                         "the app is on a container network, and Marathon lists no IP address for the task");
        return NULL;
    }
    if (task->n_addresses == 1) {
        return task->addresses[0];
    }
    const char *label = labels_get_own(view->mapper, view->app, "ipAddressIdx");
    int64_t index = 0;
    if (!label || !label_to_int(label, &index)) {
        view_add_problem(view, task, "ip-address-ambiguous",
                         "the task has %zu IP addresses; the label %s.ipAddressIdx must pick one, 0 to %zu",
                         task->n_addresses, view->mapper->config->label_prefix, task->n_addresses - 1);
        return NULL;
    }
    if (index < 0 || (uint64_t)index >= task->n_addresses) {
        view_add_problem(view, task, "ip-address-index",
                         "%s.ipAddressIdx is %lld; the task has the IP addresses 0 to %zu",
                         view->mapper->config->label_prefix, (long long)index, task->n_addresses - 1);
        return NULL;
    }
    return task->addresses[index];
}

bool place_find_host(const struct segment_view *view, const struct marathon_task *task, const char **ret_host)
{
    bool own = address_is_own(view);
    const char *host = own ? pick_address(view, task) : task->host;
    if (!host) {
        return false;
    }
    if (!host[0]) {
        view_add_problem(view, task, "host-missing", "Marathon names no host for the task");
        return false;
    }
    if (!text_is_ip(host) && !text_is_host_name(host)) {
        cleanup_free char *shown = label_to_shown(host);
        view_add_problem(view, task, "host-invalid", "its host `%s` is neither an IP address nor a host name", shown);
        return false;
    }
    *ret_host = host;
    return true;
}

/* ---- port ---- */

static bool take_port(const struct segment_view *view, const struct marathon_task *task, int64_t port,
                      const char *origin, int32_t *ret_port)
{
    if (port < 1 || port > 65535) {
        view_add_problem(view, task,
                         port == 0 && strcmp(origin, "containerPort") == 0 ? "container-port-zero" : "port-invalid",
                         "%s is %lld; 1 to 65535 would be right", origin, (long long)port);
        return false;
    }
    *ret_port = (int32_t)port;
    return true;
}

static bool port_by_label(const struct segment_view *view, const struct marathon_task *task, const char *label,
                          int32_t *ret_port)
{
    int64_t port = 0;
    const char *prefix = view->mapper->config->label_prefix;
    if (labels_get(view, "portIndex")) {
        view_add_problem(view, NULL, "port-and-index",
                         "%s.port and %s.portIndex are both set; port wins, remove the other", prefix, prefix);
    }
    if (!label_to_int(label, &port) || port < 1 || port > 65535) {
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, task, "port-invalid", "%s.port is `%s`; 1 to 65535 would be right", prefix, shown);
        return false;
    }
    *ret_port = (int32_t)port;
    return true;
}

static const struct marathon_port *find_named(const struct marathon_port *ports, size_t count, const char *name,
                                              size_t *ret_index)
{
    for (size_t i = 0; i < count && i < MAPPING_MAX_PORTS; i++) {
        if (strcmp(ports[i].name, name) == 0) {
            *ret_index = i;
            return &ports[i];
        }
    }
    return NULL;
}

static bool task_port_at(const struct segment_view *view, const struct marathon_task *task, size_t index,
                         const char *name, int32_t *ret_port)
{
    if (index < task->n_ports) {
        return take_port(view, task, task->ports[index], "the task's port", ret_port);
    }
    cleanup_free char *shown = label_to_shown(name);
    view_add_problem(view, task, "port-name-not-published", "Marathon lists no host port for the port named `%s`",
                     shown);
    return false;
}

/* The task's ports have an entry for each mapping with a hostPort key, in order: another index than the mapping's own.
 */
static bool mapped_port(const struct segment_view *view, const struct marathon_task *task, size_t index,
                        const char *name, int32_t *ret_port)
{
    const struct marathon_app *app = view->app;
    size_t published = 0;
    if (address_is_own(view)) {
        return take_port(view, task, app->port_mappings[index].port, "containerPort", ret_port);
    }
    if (!app->port_mappings[index].has_host_port) {
        cleanup_free char *shown = label_to_shown(name);
        view_add_problem(view, task, "port-name-not-published",
                         "the port mapping `%s` has no hostPort, so that it cannot be reached from outside", shown);
        return false;
    }
    for (size_t i = 0; i < index; i++) {
        published += app->port_mappings[i].has_host_port;
    }
    return task_port_at(view, task, published, name, ret_port);
}

static bool port_by_name(const struct segment_view *view, const struct marathon_task *task, const char *name,
                         int32_t *ret_port)
{
    const struct marathon_app *app = view->app;
    size_t index = 0;
    if (find_named(app->port_mappings, app->n_port_mappings, name, &index)) {
        return mapped_port(view, task, index, name, ret_port);
    }
    const struct marathon_port *port = find_named(app->port_definitions, app->n_port_definitions, name, &index);
    if (port && task->n_ports == 0) {
        return take_port(view, task, port->port, "the port definition", ret_port);
    }
    if (port) {
        return task_port_at(view, task, index, name, ret_port);
    }
    port = find_named(app->discovery_ports, app->n_discovery_ports, name, &index);
    if (port) {
        return take_port(view, task, port->port, "the discovery port", ret_port);
    }
    cleanup_free char *shown = label_to_shown(name);
    view_add_problem(view, NULL, "port-name-unknown", "%s.portName is `%s`, and the app has no port of that name",
                     view->mapper->config->label_prefix, shown);
    return false;
}

/* One of the lists of which the first that is not empty counts. */
struct port_list {
    const struct marathon_port *ports; /* or the task's own */
    size_t count;
    const char *origin;
};

static struct port_list available_ports(const struct segment_view *view, const struct marathon_task *task)
{
    const struct marathon_app *app = view->app;
    /* Repaired: the task's ports are host ports, which reach nothing at the task's own address. */
    if (address_is_own(view) && app->n_port_mappings > 0) {
        return (struct port_list){app->port_mappings, app->n_port_mappings, "containerPort"};
    }
    if (task->n_ports > 0) {
        return (struct port_list){NULL, task->n_ports, "the task's port"};
    }
    if (app->n_port_definitions > 0) {
        return (struct port_list){app->port_definitions, app->n_port_definitions, "the port definition"};
    }
    return (struct port_list){app->discovery_ports, app->n_discovery_ports, "the discovery port"};
}

static bool port_by_index(const struct segment_view *view, const struct marathon_task *task, int32_t *ret_port)
{
    struct port_list list = available_ports(view, task);
    const char *label = labels_get(view, "portIndex");
    int64_t index = 0;
    if (list.count == 0) {
        view_add_problem(view, task, "no-port", "the task has no port; give the app one, or set the label %s.port",
                         view->mapper->config->label_prefix);
        return false;
    }
    /* As Traefik does. */
    if (label && !label_to_int(label, &index)) {
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, NULL, "port-index-invalid",
                         "%s.portIndex is `%s`; a number from 0 would be right, 0 is taken",
                         view->mapper->config->label_prefix, shown);
    }
    if (index < 0 || (uint64_t)index >= list.count) {
        view_add_problem(view, task, "port-index-out-of-range", "%s.portIndex is %lld; there are the ports 0 to %zu",
                         view->mapper->config->label_prefix, (long long)index, list.count - 1);
        return false;
    }
    return take_port(view, task, list.ports ? list.ports[index].port : task->ports[index], list.origin, ret_port);
}

bool place_find_port(const struct segment_view *view, const struct marathon_task *task, int32_t *ret_port)
{
    const char *label = labels_get(view, "port");
    if (label) {
        return port_by_label(view, task, label, ret_port);
    }
    label = labels_get(view, "portName");
    return label ? port_by_name(view, task, label, ret_port) : port_by_index(view, task, ret_port);
}
