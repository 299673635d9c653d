/* SPDX-License-Identifier: MIT */
/* Whether a task passed its readiness checks, as far as Marathon's answer tells (mapping.respect_readiness_checks). */
#include <string.h>

#include "mapping_private.h"

#define READINESS_DEFAULT_TIMEOUT_S 10
#define READINESS_MARGIN_S 5

enum readiness task_find_readiness(const struct marathon_app *app, const struct marathon_task *task,
                                   enum mapper_standing standing, int64_t now_ms, int64_t *ret_ready_ms)
{
    *ret_ready_ms = MARATHON_NO_TIME;
    if (app->n_readiness_checks == 0) {
        return READINESS_GOOD;
    }
    if (standing == MAPPER_TASK_UNLISTED) {
        return READINESS_UNKNOWN;
    }
    if (app->n_deployments == 0) {
        return READINESS_GOOD;
    }
    for (size_t i = 0; i < app->n_readiness; i++) {
        if (strcmp(app->readiness[i].task_id, task->id) == 0) {
            return app->readiness[i].ready ? READINESS_GOOD : READINESS_BAD;
        }
    }
    if (standing == MAPPER_TASK_FRESH || task->started_ms == MARATHON_NO_TIME) {
        return READINESS_UNKNOWN;
    }
    /* No result: a task of before the deployment never gets one, a new one gets it soon. */
    int64_t timeout_s =
        app->readiness_timeout_s > 0 ? app->readiness_timeout_s + READINESS_MARGIN_S : READINESS_DEFAULT_TIMEOUT_S;
    *ret_ready_ms = task->started_ms + timeout_s * 1000;
    return now_ms >= *ret_ready_ms ? READINESS_GOOD : READINESS_UNKNOWN;
}
