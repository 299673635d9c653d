/* SPDX-License-Identifier: MIT */
/* What there is to see over HTTP: one line of the table for each page. */
#include <string.h>

#include "web_private.h"

static const char text_type[] = "text/plain; charset=utf-8";

static unsigned render_health(struct engine *engine, const struct web_metrics *web, struct buf *body)
{
    (void)engine;
    (void)web;
    buf_puts(body, "ok\n");
    return 200;
}

static unsigned render_readiness(struct engine *engine, const struct web_metrics *web, struct buf *body)
{
    (void)web;
    if (!engine_list_reasons(engine, body)) {
        return 503;
    }
    buf_puts(body, "ok\n");
    return 200;
}

static unsigned render_metrics(struct engine *engine, const struct web_metrics *web, struct buf *body)
{
    struct engine_metrics measured;
    struct process_metrics process;
    engine_measure(engine, &measured);
    process_measure(&process);
    metrics_render(&measured, &process, web, body);
    engine_metrics_clear(&measured);
    return 200;
}

const struct web_page web_pages[WEB_PAGES] = {
    {"/healthz", text_type, render_health},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", render_metrics},
    {"/readyz", text_type, render_readiness},
};

const struct web_page *web_page_find(const char *path)
{
    for (size_t i = 0; i < WEB_PAGES; i++) {
        if (strcmp(web_pages[i].path, path) == 0) {
            return &web_pages[i];
        }
    }
    return NULL;
}

void web_pages_list(struct buf *body)
{
    for (size_t i = 0; i < WEB_PAGES; i++) {
        buf_printf(body, "%s%s", i ? ", " : "", web_pages[i].path);
    }
}
