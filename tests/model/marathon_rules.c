/* SPDX-License-Identifier: MIT */
/* Rules and classes that apps ask for, and the keys that a rule comes to, told in this file's own words: mapping.md. */
#include <stdio.h>
#include <string.h>

#include "marathon_parts.h"
#include "slotd/mem.h"

const char *const class_names[N_CLASSES] = {"http", "sticky", "leastconn"};

/* Rules of one host alone, of one that all apps want, of both; prefixes within prefixes, whole paths, and what no map
 * can say. %zu is the app's number. */
static const char *const labels[N_RULES] = {
    "",
    "Host:a%zu.example.com",
    "Host:www.example.com;PathPrefix:/a%zu",
    "Host:www.example.com",
    "Host:www.example.com;PathPrefix:/api",
    "Host:www.example.com;Path:/api/v1",
    "Host:a%zu.example.com,www.example.com;PathPrefix:/api,/shop",
    "Host:a%zu.example.com;Path:/,/shop",
    "HostRegexp:{any:[a-z]+}.example.com",
};

size_t backend_number(const char *name)
{
    size_t number = 0;
    while (number < N_BACKEND_NAMES && strcmp(backend_names[number], name) != 0) {
        number++;
    }
    return number;
}

void definition_label(size_t app, const struct definition *definition, struct buf *label)
{
    char number[4];
    const char *text = labels[definition->rule];
    const char *place = strstr(text, "%zu");
    (void)snprintf(number, sizeof(number), "%u", (unsigned)app % 100);
    buf_append(label, text, place ? (size_t)(place - text) : strlen(text));
    if (place) {
        buf_puts(label, number);
        buf_puts(label, place + strlen("%zu"));
    }
}

void definition_rule(size_t app, const struct definition *definition, const char *segment, struct buf *rule)
{
    definition_label(app, definition, rule);
    if (rule->len == 0) {
        buf_printf(rule, "Host:%s%sa%zu.marathon.localhost", segment, segment[0] ? "." : "", app);
    }
}

const struct definition *definition_told(size_t app)
{
    return marathon.apps[app].is_told && rules_app_is_kept(app) ? &marathon.apps[app].history[0] : NULL;
}

const struct definition *definition_true(size_t app)
{
    return marathon.apps[app].exists ? &marathon.apps[app].definition : NULL;
}

/* ---- keys ---- */

static void claims_add_host(struct claims *claims, const char *host, const char *paths, bool is_exact)
{
    cleanup_free char *copy = mem_strdup(paths);
    char *rest = copy;
    for (char *path; (path = strsep(&rest, ","));) {
        struct claim *claim = &claims->claims[claims->count++];
        claim->is_exact = is_exact;
        (void)snprintf(claim->key, sizeof(claim->key), "%s%s", host, path);
    }
}

/* "Host:a,b;PathPrefix:/c": the hosts times the paths. */
static void claims_read(struct claims *claims, const char *rule)
{
    cleanup_free char *copy = mem_strdup(rule);
    char *paths = strchr(copy, ';');
    bool is_exact = paths && strncmp(paths, ";Path:", strlen(";Path:")) == 0;
    claims->priority = strlen(rule);
    if (strncmp(copy, "Host:", strlen("Host:")) != 0) {
        return;
    }
    if (paths) {
        *paths = '\0';
        paths = strchr(paths + 1, ':') + 1;
    }
    char *rest = copy + strlen("Host:");
    for (char *host; (host = strsep(&rest, ","));) {
        claims_add_host(claims, host, paths ? paths : "/", is_exact);
    }
}

/* Of several parts the first by app, then by segment, has the say. */
bool service_claims(size_t service, definition_of *which, struct claims *claims)
{
    bool found = false;
    *claims = (struct claims){0};
    for (size_t app = 0; app < MAX_APPS; app++) {
        const struct definition *definition = which(app);
        struct part parts[MAX_PARTS];
        size_t count = definition ? definition_parts(app, definition, parts) : 0;
        /* "adm" comes before "web". */
        for (size_t p = count; p-- > 0;) {
            if (parts[p].backend != service) {
                continue;
            }
            claims->has_check = claims->has_check || definition->check_port > 0;
            if (!found) {
                cleanup_buf struct buf rule = BUF_INIT;
                definition_rule(app, definition, parts[p].segment, &rule);
                claims_read(claims, buf_text(&rule));
                claims->app = app;
                claims->class = definition->class;
                found = true;
            }
        }
    }
    return found;
}

bool claims_have(const struct claims *claims, const char *key, bool is_exact)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (claims->claims[i].is_exact == is_exact && strcmp(claims->claims[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}
