/* SPDX-License-Identifier: MIT */
/* Where a task runs: its agent, addresses and ports, in each of Marathon's network modes, and its own web server there.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

#define SLAVE_ID "b1f0a7c4-5d0e-4a39-9a56-0c2f3c9be0d1"
#define MAX_TRIES 50

static struct json_object *find(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static void add_address(struct task *task, char *ip, bool is_v6)
{
    task->addresses = mem_resize_array(task->addresses, task->n_addresses + 1, sizeof(*task->addresses));
    task->addresses[task->n_addresses++] = (struct address){ip, is_v6};
}

static void add_port(struct task *task, int port)
{
    task->ports = mem_resize_array(task->ports, task->n_ports + 1, sizeof(*task->ports));
    task->ports[task->n_ports++] = port;
}

static void place_clear(struct task *task)
{
    for (size_t i = 0; i < task->n_addresses; i++) {
        free(task->addresses[i].ip);
    }
    free(task->addresses);
    free(task->ports);
    free(task->host);
    free(task->slave);
    task->addresses = NULL;
    task->ports = NULL;
    task->host = task->slave = NULL;
    task->n_addresses = task->n_ports = 0;
}

void place_leave(struct task *task)
{
    backend_kill(task->backend);
    task->backend = NULL;
    place_clear(task);
}

/* A port of the agent: the one that is asked for, or any. */
static int host_port(struct task *task, int wanted)
{
    if (task->backend) {
        int port = backend_listen(task->backend, task->host, wanted);
        if (port > 0) {
            return port;
        }
        fprintf(stderr, "marathon-sim: %s cannot listen at %s:%d\n", task->id, task->host, wanted);
    }
    return wanted > 0 ? wanted : 31000 + (int)((task->sim->sequence + task->n_ports) % 20000);
}

/* ---- a container's own address, somewhere in 127.64.0.0/10, so that its server can listen at its port ---- */

static char *next_address(struct sim *sim)
{
    if (sim->address_sequence == 0) {
        /* Simulators that run at the same time begin at different places. */
        sim->address_sequence = (uint64_t)getpid() * 7919;
    }
    unsigned n = (unsigned)(++sim->address_sequence % (1U << 22));
    return mem_printf("127.%u.%u.%u", 64 + (n >> 16), (n >> 8) & 255, n & 255);
}

/* Whether a mapping is for that network; without names it is for every one. */
static bool mapping_is_for(struct json_object *mapping, struct json_object *network)
{
    struct json_object *names = find(mapping, "networkNames");
    struct json_object *name = find(network, "name");
    size_t count = json_object_is_type(names, json_type_array) ? json_object_array_length(names) : 0;
    for (size_t i = 0; i < count; i++) {
        if (name &&
            strcmp(json_object_get_string(json_object_array_get_idx(names, i)), json_object_get_string(name)) == 0) {
            return true;
        }
    }
    return count == 0;
}

static bool listen_at(struct task *task, struct json_object *network, const char *ip)
{
    struct json_object *mappings = task->app->ports;
    size_t count = json_object_is_type(mappings, json_type_array) ? json_object_array_length(mappings) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *mapping = json_object_array_get_idx(mappings, i);
        int port = json_object_get_int(find(mapping, "containerPort"));
        if (port > 0 && mapping_is_for(mapping, network) && backend_listen(task->backend, ip, port) < 0) {
            return false;
        }
    }
    return true;
}

static void find_container_address(struct task *task, struct json_object *network)
{
    char *ip = next_address(task->sim);
    for (int i = 0; task->backend && !listen_at(task, network, ip) && i < MAX_TRIES; i++) {
        free(ip);
        ip = next_address(task->sim);
    }
    add_address(task, ip, false);
    struct json_object *name = find(network, "name");
    if (name && strstr(json_object_get_string(name), "v6")) {
        add_address(task, mem_printf("fd01:b::%x", (unsigned)(task->sim->address_sequence & 0xffff)), true);
    }
}

static void find_addresses(struct task *task)
{
    const struct app *app = task->app;
    if (app->is_container_network) {
        for (size_t i = 0; i < json_object_array_length(app->networks); i++) {
            find_container_address(task, json_object_array_get_idx(app->networks, i));
        }
    } else if (app->is_host_network) {
        add_address(task, mem_strdup(task->host), false);
    } else {
        /* docker0's; agents give the same ones. */
        add_address(task, mem_printf("172.17.0.%u", 5 + (unsigned)(task->sim->sequence % 200)), false);
    }
}

static void find_ports(struct task *task)
{
    const struct app *app = task->app;
    size_t count = json_object_is_type(app->ports, json_type_array) ? json_object_array_length(app->ports) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *port = json_object_array_get_idx(app->ports, i);
        struct json_object *fixed = find(port, "hostPort");
        if (app->is_host_network) {
            add_port(task, host_port(task, app->require_ports ? json_object_get_int(find(port, "port")) : 0));
        } else if (fixed) {
            add_port(task, host_port(task, json_object_get_int(fixed)));
        }
    }
}

void place_find(struct task *task)
{
    struct sim *sim = task->sim;
    size_t agent = (size_t)(sim->sequence++ % sim->n_hosts);
    place_leave(task);
    task->host = mem_strdup(sim->hosts[agent]);
    task->slave = mem_printf("%s-S%zu", SLAVE_ID, agent);
    task->backend = sim->options.backends ? backend_new(sim, task->id) : NULL;
    const char *sick_ms = task->app ? definition_env(task->app, "SIM_SICK_MS") : NULL;
    if (task->backend && sick_ms) {
        backend_set_sick(task->backend, strtoul(sick_ms, NULL, 10));
    }
    find_addresses(task);
    find_ports(task);
}
