/* SPDX-License-Identifier: MIT */
/* Which server names of TLS are hosts of HTTP rules, and of whose: such a connection is not passed on to another app.
 * Pure. */
#ifndef SLOTD_SERVER_NAMES_H
#define SLOTD_SERVER_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct server_names;
struct server_names *server_names_new(uint64_t seed);
void server_names_free(struct server_names *names);
/* A name that is other apps' than before: a host, or "*." and what is behind its first part. */
typedef void server_names_touched(void *arg, const char *name);
/* The hosts that an HTTP service has by its rule, which is the app's; all are copied. count 0: it has none any more.
 * Calls touched for the names that the change concerns, once it is made; nothing differs: for none. The cost is that of
 * the app's hosts. */
void server_names_set(struct server_names *names, const char *service, const char *app, const char *const *hosts,
                      size_t count, server_names_touched *touched, void *arg);

struct server_name_owner {
    const char *app;  /* NULL: nobody */
    const char *host; /* the name itself, or one of those that it covers */
};
/* Another app than that one whose rule has the name: "web.example.com", or with "*.example.com" a host one level below.
 * Borrowed until the next change. */
struct server_name_owner server_names_find_other(const struct server_names *names, const char *name, const char *app);

#endif
