/* SPDX-License-Identifier: MIT */
/* Whose turn it is when look-ups are slow. The system's resolver is replaced: names that begin with "dead" fail late.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../agent/engine/engine_private.h"
#include "suite.h"

#define SEED 1
#define DEAD_MS 500
#define N_DEAD 24 /* two at a time, they take longer than the pause before the first is tried again */

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    struct fake {
        struct addrinfo info;
        struct sockaddr_in address;
    } *fake = NULL;
    (void)service;
    (void)hints;
    if (strncmp(name, "dead", 4) == 0) {
        usleep(DEAD_MS * 1000);
        return EAI_AGAIN;
    }
    fake = calloc(1, sizeof(*fake));
    fake->address.sin_family = AF_INET;
    inet_pton(AF_INET, "10.0.0.1", &fake->address.sin_addr);
    fake->info.ai_family = AF_INET;
    fake->info.ai_addr = (struct sockaddr *)&fake->address;
    *ret_list = &fake->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

static uv_loop_t loop;
static struct resolver *resolver;
static uv_timer_t timer;
static bool is_resolved;

static void changed(void *arg, const char *service)
{
    (void)arg;
    is_resolved = strcmp(service, "good") == 0;
    uv_stop(&loop);
}

static bool in_use(void *arg, const char *host, const char *service)
{
    (void)arg;
    (void)host;
    (void)service;
    return true;
}

static void give_up(uv_timer_t *handle)
{
    (void)handle;
    uv_stop(&loop);
}

START_TEST(names_that_never_answer_do_not_keep_others_out)
{
    /* With this seed the good one stands behind most of the others in the table. */
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    resolver = resolver_new(&loop, SEED, changed, in_use, NULL);
    for (int i = 0; i < N_DEAD; i++) {
        char name[32];
        snprintf(name, sizeof(name), "dead%d.example", i);
        ck_assert_ptr_null(resolver_get(resolver, name, name));
    }
    ck_assert_ptr_null(resolver_get(resolver, "good.example", "good"));
    uv_timer_start(&timer, give_up, N_DEAD * DEAD_MS, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(is_resolved);
    ck_assert_str_eq(resolver_get(resolver, "good.example", "good"), "10.0.0.1");
    resolver_close(resolver);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("resolver");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, names_that_never_answer_do_not_keep_others_out);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
