/* SPDX-License-Identifier: MIT */
/* What kinds of maps there are: one row each, and nowhere else. */
#include "engine_private.h"

/* What finds a key's value. */
enum source { BY_CHECK, BY_ACCESS, BY_ROUTE, BY_TCP_ROUTE, BY_LEASE };

static const struct kind {
    const char *name; /* in maps_dir (contract.md) */
    enum source source;
} kinds[EDGE_N_MAPS] = {
    [EDGE_MAP_CHECK_PATH] = {"check-path.map", BY_CHECK},   [EDGE_MAP_CHECK_HOST] = {"check-host.map", BY_CHECK},
    [EDGE_MAP_WHITELIST] = {"whitelist.map", BY_ACCESS},    [EDGE_MAP_REDIRECT] = {"redirect.map", BY_ACCESS},
    [EDGE_MAP_ROUTES] = {"routes.map", BY_ROUTE},           [EDGE_MAP_PATHS] = {"paths.map", BY_ROUTE},
    [EDGE_MAP_TCP_PORTS] = {"tcp-ports.map", BY_TCP_ROUTE}, [EDGE_MAP_SNI] = {"sni.map", BY_TCP_ROUTE},
    [EDGE_MAP_LEASES] = {"leases.map", BY_LEASE},
};

const char *edge_map_name(enum edge_map_kind kind)
{
    return kinds[kind].name;
}

static enum source map_source(const struct edge_map *map)
{
    return kinds[map->kind].source;
}

bool edge_map_is_by_backend(const struct edge_map *map)
{
    return map_source(map) == BY_CHECK;
}

bool edge_map_is_of_access(const struct edge_map *map)
{
    return map_source(map) == BY_ACCESS;
}

bool edge_map_is_of_http(const struct edge_map *map)
{
    return map_source(map) == BY_ROUTE;
}

bool edge_map_is_of_tcp(const struct edge_map *map)
{
    return map_source(map) == BY_TCP_ROUTE;
}

bool edge_map_is_of_routes(const struct edge_map *map)
{
    return edge_map_is_of_http(map) || edge_map_is_of_tcp(map);
}

const char *edge_map_find_value(struct edge_map *map, const char *key, const char *current)
{
    switch (map_source(map)) {
    case BY_CHECK:
        return edge_check_value(map, key, current);
    case BY_ACCESS:
        return edge_access_value(map, key, current);
    case BY_LEASE:
        return edge_lease_value(map, key);
    default:
        return edge_route_value(map, key, current);
    }
}

static bool edge_map_has_arrived(const struct edge_map *map)
{
    return map->state == EDGE_MAP_IN_STEP && map->in_flight == 0 && !map_differs(map->map);
}

bool edge_maps_have_arrived(const struct edge *edge, enum edge_map_kind first, enum edge_map_kind last)
{
    if (edge->touched_keys.count > 0) {
        return false; /* what they should have is still to be found */
    }
    for (size_t i = first; i <= last && edge->maps[i]; i++) {
        if (!edge_map_has_arrived(edge->maps[i])) {
            return false;
        }
    }
    return true;
}
