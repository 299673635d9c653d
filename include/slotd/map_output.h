/* SPDX-License-Identifier: MIT */
/* Services and problems as the JSON of `slotctl services` and `slotctl map`: one form for both. */
#ifndef SLOTD_MAP_OUTPUT_H
#define SLOTD_MAP_OUTPUT_H

#include <json-c/json.h>

#include "slotd/config.h"
#include "slotd/mapping.h"

/* What only a running daemon knows; each may return NULL for not known. state may be NULL itself: it is left out. */
struct map_output_places {
    void *arg;
    /* The HAProxy backend in use for the service. */
    const char *(*backend)(void *arg, const struct service *service);
    const char *(*address)(void *arg, const struct endpoint *endpoint);
    const char *(*slot)(void *arg, const struct service *service, const struct service_part *part,
                        const struct endpoint *endpoint);
    /* What that slot is at the moment: "starting", "ready", "down", ... */
    const char *(*state)(void *arg, const struct service *service, const struct service_part *part,
                         const struct endpoint *endpoint);
    /* The weight as labelled, or as an operator wants it. */
    int32_t (*weight)(void *arg, const struct endpoint *endpoint);
    /* The phase as mapped, or as its health or an operator's drain makes it. */
    enum endpoint_phase (*phase)(void *arg, const struct service *service, const struct service_part *part,
                                 const struct endpoint *endpoint);
};

/* One service; the caller owns the object. Endpoints that are gone are left out. */
struct json_object *map_output_service(const struct service *service, const struct map_output_places *places);
/* At which entry points, to whom and where to its routes are open; the caller owns the object. */
struct json_object *map_output_access(const struct access *access);
struct json_object *map_output_problem(const char *app, const char *task, const char *segment, const char *code,
                                       const char *message);
/* The problems of every app, as a list; the caller owns it. */
struct json_object *map_output_problems(const struct services *services);
/* The document {"services": [...], "problems": [...]}; takes ownership of both lists. */
struct json_object *map_output_document(struct json_object *services, struct json_object *problems);
/* Maps a saved answer of /v2/apps (or of one app) with no daemon. Returns 0, the services and the apps that could not
 * be read, both of them the caller's; or a negative error with why: the answer is not readable, or the configuration
 * has a constraint that is not understood. */
int map_output_services(const char *json, size_t len, const struct config *config, int64_t now_ms,
                        struct services **ret_services, struct problem_list *ret_malformed, struct buf *why);
/* The same as a document, which the caller owns. */
int map_output_file(const char *json, size_t len, const struct config *config, int64_t now_ms,
                    struct json_object **ret_document, struct buf *why);

#endif
