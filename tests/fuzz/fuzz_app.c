/* SPDX-License-Identifier: MIT */
/* One app's JSON: what is taken keeps its promises, what is refused says why. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/marathon.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_app(const struct marathon_app *app, const char *id)
{
    require(app->id[0] != '\0' && strlen(app->id) <= MARATHON_MAX_ID_BYTES && strcmp(app->id, id) == 0);
    for (size_t i = 0; i < app->n_labels; i++) {
        require(i == 0 || strcmp(app->labels[i - 1].key, app->labels[i].key) < 0);
        require(marathon_app_label(app, app->labels[i].key) == app->labels[i].value);
    }
    for (size_t i = 0; i < app->n_tasks; i++) {
        const struct marathon_task *task = app->tasks[i];
        require(task->id[0] != '\0' && task->host && task->version);
        require(i == 0 || strcmp(app->tasks[i - 1]->id, task->id) < 0);
        for (size_t j = 0; j < task->n_ports; j++) {
            require(task->ports[j] >= 0 && task->ports[j] <= UINT16_MAX);
        }
        marathon_task_free(marathon_task_copy(task));
    }
    marathon_app_free(marathon_app_copy_definition(app));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct marathon_app *app = NULL;
    char *id = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = marathon_app_parse((const char *)data, size, &app, &id, &why);
    require(err ? app == NULL && why.len > 0 : app != NULL && id != NULL && why.len == 0);
    if (app) {
        check_app(app, id);
    }
    marathon_app_free(app);
    free(id);
    return 0;
}
