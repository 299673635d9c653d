/* SPDX-License-Identifier: MIT */
/* Whether a task passed its readiness checks, as far as Marathon's answer tells (mapping.respect_readiness_checks). */
#include <string.h>

#include "mapping_private.h"

#define READINESS_DEFAULT_TIMEOUT_S 10
#define READINESS_MARGIN_S 5

bool task_is_ready(const struct marathon_app *app, const struct marathon_task *task, int64_t now_ms)
{
    if (app->n_deployments == 0 || app->n_readiness_checks == 0) {
        return true;
    }
    for (size_t i = 0; i < app->n_readiness; i++) {
        if (strcmp(app->readiness[i].task_id, task->id) == 0) {
            return app->readiness[i].ready;
        }
    }
    /* No result: a task of before the deployment never gets one, a new one gets it soon. */
    int64_t timeout_s =
        app->readiness_timeout_s > 0 ? app->readiness_timeout_s + READINESS_MARGIN_S : READINESS_DEFAULT_TIMEOUT_S;
    return task->started_ms != MARATHON_NO_TIME && now_ms - task->started_ms >= timeout_s * 1000;
}
