/* SPDX-License-Identifier: MIT */
/* slotd's configuration: as the run's settings have it, and how operators change it. */
#include "model.h"
#include "slotd/config.h"
#include "slotd/mem.h"

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = mem_strdup(value);
}

static void list_add(struct config_list *list, const char *item)
{
    size_t capacity = list->count;
    MEM_GROW(list->items, capacity, list->count + 1);
    list->items[list->count++] = mem_strdup(item);
}

/* One with another name is another one: its connection is made anew. */
static void add_haproxies(struct config *config)
{
    unsigned bit = 1;
    config->haproxy = mem_alloc_array(n_haproxies, sizeof(*config->haproxy));
    for (struct haproxy *haproxy = haproxy_next(NULL); haproxy; haproxy = haproxy_next(haproxy), bit <<= 1) {
        if (sim.settings.haproxies & bit) {
            config->haproxy[config->n_haproxy++] = (struct config_haproxy){
                mem_printf("edge%u-%u", bit, sim.settings.names & bit), mem_strdup(haproxy->socket),
                mem_strdup(haproxy->files[STATE_FILE]), mem_strdup(haproxy->maps_dir)};
        }
    }
}

/* That of the class http is there by default, and this one whether HAProxy has such backends or not. */
static void add_pool(struct config_slots *slots, const char *class)
{
    size_t capacity = slots->n_pools;
    MEM_GROW(slots->pools, capacity, slots->n_pools + 1);
    slots->pools[slots->n_pools++] =
        (struct config_pool){mem_strdup(class), mem_printf("pool-%s-", class), mem_strdup(""), mem_strdup("")};
}

struct config *slotd_make_config(void)
{
    const struct settings *settings = &sim.settings;
    struct config *config = config_new_default();
    add_haproxies(config);
    set_text(&config->control.state_dir, "/sim");
    config->marathon.resync_interval = 20000;
    list_add(&config->marathon.endpoints, settings->marathon % 2 ? "http://m1:8080" : "http://m2:8080");
    config->slots.drain_timeout = settings->drain_timeout_ms;
    config->slots.add_servers = false; /* the simulated HAProxy knows no such command */
    config->slots.max_removal_percent = settings->max_removal_percent;
    config->mapping.drain_unhealthy = settings->drain_unhealthy;
    config->mapping.respect_readiness_checks = settings->readiness;
    if (sim.profile.pooled > 0) {
        config->slots.release_delay = sim.profile.release_delay_ms;
        add_pool(&config->slots, class_names[1]);
    }
    if (settings->constrained) {
        list_add(&config->mapping.constraints, "tag==live-*");
    }
    return config;
}

static void settings_change_one(struct chance *chance, struct settings *settings)
{
    switch (chance_below(chance, 9)) {
    case 0:
    case 1:
        settings->haproxies = 1 + (unsigned)chance_below(chance, (UINT64_C(1) << n_haproxies) - 1);
        break;
    case 2:
        settings->names ^= 1u << chance_below(chance, n_haproxies);
        break;
    case 3:
        settings->marathon++;
        break;
    case 4:
        settings->constrained = !settings->constrained;
        break;
    case 5:
        settings->readiness = sim.profile.readiness && !settings->readiness;
        break;
    case 6:
        settings->drain_unhealthy = !settings->drain_unhealthy;
        break;
    case 7:
        settings->max_removal_percent = settings->max_removal_percent == 100 ? 50 : 100;
        break;
    case 8:
        settings->drain_timeout_ms = settings->drain_timeout_ms == 3000 ? 60000 : 3000;
        break;
    }
}

void settings_change(struct chance *chance, struct settings *settings)
{
    for (size_t i = 1 + (size_t)chance_below(chance, 2); i > 0; i--) {
        settings_change_one(chance, settings);
    }
}
