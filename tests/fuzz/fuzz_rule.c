/* SPDX-License-Identifier: MIT */
/* Fuzz target: rules. Each line is one service's; the first byte picks its priority. Whatever they say, each key is one
 * that a map may have, and leads to one service. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "slotd/routes.h"
#include "slotd/rule.h"
#include "slotd/text.h"

#define MAX_SERVICES 24

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Rules that were read once are read again the same way. */
static void check_rule(const char *text)
{
    struct rule *rule = NULL;
    struct rule *again = NULL;
    struct buf why = BUF_INIT;
    int err = rule_parse(text, &rule, &why);
    require(err == rule_parse(text, &again, NULL));
    require(!err || text_is_plain(buf_text(&why)));
    for (size_t i = 0; !err && i < rule->n_parts; i++) {
        require(rule->parts[i].word == again->parts[i].word && rule->parts[i].n_values > 0);
        require(rule->parts[i].n_values == again->parts[i].n_values);
    }
    rule_free(rule);
    rule_free(again);
    buf_free(&why);
}

static void check_host(void *arg, const char *host)
{
    const struct routes *routes = *(struct routes **)arg;
    size_t count = 0;
    struct route_claim *claims = routes_find_claims(routes, host, "/", &(struct routes_judge){0}, &count);
    for (size_t i = 0; i < count; i++) {
        const struct route_claim *claim = &claims[i];
        bool first = i == 0 || claim->exact != claims[i - 1].exact || strcmp(claim->key, claims[i - 1].key) != 0;
        require(text_is_map_word(claim->key) && strncmp(claim->key, host, strlen(host)) == 0);
        require(claim->loses_to != claim->route);
        /* Where nobody comes before it, it is in the map; and what a key leads to does not depend on whose it is. */
        require(claim->loses_to || route_claim_holds(claim));
        require(first || memcmp(claim->leads_to, claims[i - 1].leads_to, sizeof(claim->leads_to)) == 0);
        for (size_t p = 0; p < ACCESS_POINTS; p++) {
            require(!claim->leads_to[p] || claim->leads_to[p]->points & (1U << p));
            require(claim->leads_to[p] || !(claim->route->points & (1U << p)));
        }
    }
    routes_free_claims(claims, count);
}

static void set_rule(struct routes *routes, int number, const char *line)
{
    cleanup_free char *service = mem_printf("s%d", number);
    cleanup_free char *frontend = mem_printf("f%d", line[0] % 3);
    check_rule(line[0] ? line + 1 : line);
    routes_set(routes, service, frontend, line[0] ? line + 1 : line, line[0] % 4, 1U + (unsigned)line[0] % 3U,
               check_host, &routes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = mem_strndup((const char *)data, size);
    struct routes *routes = routes_new(1);
    char *rest = text;
    char *line;
    for (int i = 0; i < MAX_SERVICES && (line = strsep(&rest, "\n")); i++) {
        set_rule(routes, i, line);
    }
    size_t count = 0;
    const struct route **list = routes_list(routes, &count);
    for (size_t i = 0; i < count; i++) {
        require(list[i]->means == ROUTE_BY_MAP ? list[i]->why == NULL : text_is_plain(list[i]->why));
    }
    free(list);
    for (int i = 0; i < MAX_SERVICES; i++) {
        cleanup_free char *service = mem_printf("s%d", i);
        routes_set(routes, service, "", NULL, 0, 0, check_host, &routes);
    }
    routes_free(routes);
    return 0;
}
