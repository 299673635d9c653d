/* SPDX-License-Identifier: MIT */
/* `slotctl route`: what the routing rules decide, by a saved answer of Marathon. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl_private.h"
#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"
#include "slotd/route_output.h"

#define MAX_HEADERS 100

struct route_call {
    const char *apps, *config, *requests, *src;
    const char *method, *url;
    const char *headers[MAX_HEADERS];
    size_t n_headers;
};

/* ---- words ---- */

static const char **option_place(struct route_call *call, const char *word)
{
    if (strcmp(word, "-H") == 0 && call->n_headers < MAX_HEADERS) {
        return &call->headers[call->n_headers++];
    }
    return strcmp(word, "--apps") == 0       ? &call->apps
           : strcmp(word, "--requests") == 0 ? &call->requests
           : strcmp(word, "--src") == 0      ? &call->src
           : strcmp(word, "-c") == 0         ? &call->config
                                             : NULL;
}

static bool read_word(struct route_call *call, int argc, char **argv, int *at)
{
    const char *word = argv[(*at)++];
    if (word[0] != '-') {
        const char **place = call->method ? &call->url : &call->method;
        bool is_free = !*place;
        *place = word;
        return is_free;
    }
    const char **place = option_place(call, word);
    if (!place || *at == argc) {
        return false;
    }
    *place = argv[(*at)++];
    return true;
}

static bool read_words(struct route_call *call, int argc, char **argv, struct buf *complaint)
{
    for (int i = 0; i < argc;) {
        const char *word = argv[i];
        if (!read_word(call, argc, argv, &i)) {
            buf_printf(complaint, "does not understand %s, or misses its value", word);
            return false;
        }
    }
    bool is_one = call->method && call->url && !call->requests;
    bool is_many = call->requests && !call->method && !call->src && call->n_headers == 0;
    if (!call->apps || (!is_one && !is_many)) {
        buf_puts(complaint, "METHOD and URL, or --requests FILE, and --apps FILE are needed");
        return false;
    }
    return true;
}

/* ---- the table ---- */

static void add_service(struct route_table *table, const struct service *service)
{
    const struct route_entry entry = {
        .service = service->name,
        .frontend = service->frontend,
        .rule = service->rule,
        .priority = service->parts[0]->priority,
        .points = service->access->points,
        .access = service->access,
    };
    cleanup_buf struct buf why = BUF_INIT;
    int err = strcmp(service->mode, "http") == 0 ? route_table_set(table, &entry, &why) : 0;
    if (why.len > 0) {
        fprintf(stderr, "slotctl: %s: %s%s\n", service->name, err ? "no rule: " : "", buf_text(&why));
    }
}

static struct route_table *table_read(const struct route_call *call, const struct config *config)
{
    struct services *services = NULL;
    struct problem_list malformed = {0};
    cleanup_buf struct buf content = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    if (!ctl_read_source(call->apps, &content)) {
        return NULL;
    }
    int err = map_output_services(buf_text(&content), content.len, config, (int64_t)time(NULL) * 1000, &services,
                                  &malformed, &why);
    if (err) {
        fprintf(stderr, "slotctl: %s: %s\n", call->apps, why.len ? buf_text(&why) : error_text(err));
        return NULL;
    }
    size_t count = 0;
    const struct service **list = services_list(services, &count);
    struct route_table *table = route_table_new(0);
    for (size_t i = 0; i < count; i++) {
        add_service(table, list[i]);
    }
    for (size_t i = 0; i < malformed.count; i++) {
        fprintf(stderr, "slotctl: %s: %s\n", malformed.items[i].app, malformed.items[i].message);
    }
    free(list);
    problem_list_free(&malformed);
    services_free(services);
    return table;
}

/* ---- requests ---- */

struct deciding {
    const struct ctl *ctl;
    const struct route_view *view;
    struct route_scratch *scratch;
};

static int decide_one(const struct deciding *deciding, const struct route_call *call)
{
    struct route_asked asked;
    cleanup_buf struct buf why = BUF_INIT;
    if (route_asked_from_url(call->method, call->url, call->headers, call->n_headers, call->src, &asked, &why)) {
        fprintf(stderr, "slotctl: %s\n", buf_text(&why));
        return CTL_EXIT_FAILED;
    }
    struct json_object *decision = route_output_decision(deciding->view, deciding->scratch, &asked, true);
    ctl_print(deciding->ctl, decision, text_print_route);
    json_object_put(decision);
    route_asked_free(&asked);
    return CTL_EXIT_DONE;
}

static int decide_line(const struct deciding *deciding, const char *line, struct buf *why)
{
    struct route_asked asked;
    struct json_object *request = json_tokener_parse(line);
    int err = route_asked_read(request, &asked, why);
    json_object_put(request);
    if (!err) {
        struct json_object *decision = route_output_decision(deciding->view, deciding->scratch, &asked, false);
        puts(json_object_to_json_string_ext(decision, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(decision);
        route_asked_free(&asked);
    }
    return err;
}

static int decide_file(const struct deciding *deciding, const char *file)
{
    cleanup_buf struct buf content = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    if (!ctl_read_source(file, &content)) {
        return CTL_EXIT_FAILED;
    }
    char *rest = content.data;
    size_t number = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        number++;
        if (line[strspn(line, " \t\r")] && decide_line(deciding, line, &why)) {
            fprintf(stderr, "slotctl: %s:%zu: %s\n", file, number, buf_text(&why));
            return CTL_EXIT_FAILED;
        }
    }
    return CTL_EXIT_DONE;
}

static int route_by_file(const struct ctl *ctl, const struct route_call *call)
{
    struct config *config = ctl_load_config(call->config);
    struct route_table *table = config ? table_read(call, config) : NULL;
    config_free(config);
    if (!table) {
        return CTL_EXIT_FAILED;
    }
    struct route_view *view = route_table_view(table);
    const struct deciding deciding = {.ctl = ctl, .view = view, .scratch = route_scratch_new()};
    int code = call->requests ? decide_file(&deciding, call->requests) : decide_one(&deciding, call);
    route_scratch_free(deciding.scratch);
    route_view_free(view);
    route_table_free(table);
    return code;
}

int ctl_route(const struct ctl *ctl, int argc, char **argv, struct buf *complaint)
{
    struct route_call call = {0};
    if (!read_words(&call, argc, argv, complaint)) {
        return CTL_EXIT_USAGE;
    }
    return route_by_file(ctl, &call);
}
