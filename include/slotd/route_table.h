/* SPDX-License-Identifier: MIT */
/* The routing table: all rules, compiled, and the decision on a request, as Traefik 1.7 decides (mapping.md, "Rule").
 * Pure: no I/O, no clock.
 *
 * One thread changes a route_table and takes views of it. A view never changes, shares with the others all that is the
 * same, and is read by any number of threads without a lock (slotd/epoch.h). The cost of a change is that of the rule,
 * of the rules of its own hosts and of those without a host; a new view costs nothing. */
#ifndef SLOTD_ROUTE_TABLE_H
#define SLOTD_ROUTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/access.h"
#include "slotd/buf.h"
#include "slotd/rule.h"
#include "slotd/spop.h"

#define ROUTE_MAX_PATH 65536 /* bytes of a path, before and after it is rewritten; longer ones fail */

/* ---- changes: by one thread ---- */

/* A service and its rule. As an argument all of it is borrowed; in a view it lives as long as the view. */
struct route_entry {
    const char *service; /* the key */
    const char *frontend;
    const char *backend; /* HAProxy's; NULL: not known (offline) */
    const char *rule;
    int64_t priority; /* higher ones are looked at first, equal ones in the order of frontend, then service */
    unsigned points;  /* entry points, bits of enum access_point; requests at others do not meet the rule */
    const struct access *access; /* NULL: open */
};

struct route_table;
struct route_table *route_table_new(uint64_t seed);
/* Views live on. NULL is allowed. */
void route_table_free(struct route_table *table);
/* Adds the service's rule, or replaces what it had; a rule with the same text is not compiled again. Returns 0; why
 * then says which value or modifier has no effect, if any (Traefik serves such a rule without it). Or SLOTD_E_PARSE or
 * SLOTD_E_REFUSED with why: the rule cannot be taken, and the service has none from now on. */
int route_table_set(struct route_table *table, const struct route_entry *entry, struct buf *why);
/* Nothing when there is none. */
void route_table_remove(struct route_table *table, const char *service);
/* What the service has, or NULL. Valid until the next change. */
const struct route_entry *route_table_get(const struct route_table *table, const char *service);
/* The hosts that the service's rule names by Host, in lower case without a last dot: no request for another meets it.
 * *ret_count 0: the rule may match any host, or there is none. */
const char *const *route_table_hosts(const struct route_table *table, const char *service, size_t *ret_count);
/* How many rules there are, and how many of them may match any host. */
size_t route_table_count(const struct route_table *table);
size_t route_table_count_hostless(const struct route_table *table);

/* The table as it is now, for epoch_publish(). */
struct route_view;
struct route_view *route_table_view(struct route_table *table);
/* By the thread that changes the table, or any when table and views are of no other use; a release for epoch_new().
 * NULL is allowed. */
void route_view_free(void *view);

/* ---- decisions: by any thread ---- */

/* What one thread needs to decide, made ahead so that decisions do not allocate. */
struct route_scratch;
struct route_scratch *route_scratch_new(void);
void route_scratch_free(struct route_scratch *scratch);

struct route_request {
    struct spop_text method;
    struct spop_text host;    /* as sent, with or without a port */
    struct spop_text path;    /* as sent: HAProxy's `path` */
    struct spop_text query;   /* as sent, without the `?` */
    struct spop_text headers; /* HAProxy's req.hdrs_bin */
    struct spop_text src;     /* 4 or 16 bytes, or empty */
    enum access_point point;
};

enum route_verdict_kind {
    ROUTE_VERDICT_NONE,     /* no rule matches, or the one that does has no path to serve: 404 */
    ROUTE_VERDICT_SERVE,    /* by entry's service, which is open to everybody */
    ROUTE_VERDICT_GUARDED,  /* the same, once entry->access (its redirect, whitelist, ...) has let the client through */
    ROUTE_VERDICT_REDIRECT, /* to location with status: Traefik's trailing slash */
    ROUTE_VERDICT_BAD,      /* no request that a server takes, such as a path with %zz: 400 */
    ROUTE_VERDICT_FAILED,   /* a limit was met, so that nobody knows: 503; entry is the rule that could not be judged */
    ROUTE_VERDICT_KINDS
};

/* entry and texts live until the next decision with the same scratch, and as long as the view. */
struct route_verdict {
    enum route_verdict_kind kind;
    const struct route_entry *entry; /* NULL for NONE and BAD */
    bool is_rewritten;
    struct spop_text path;     /* encoded, without query, begins with `/`; when is_rewritten */
    struct spop_text prefix;   /* what was stripped, for X-Forwarded-Prefix; data NULL: nothing */
    struct spop_text location; /* path and query; of REDIRECT */
    unsigned status;           /* 301; of REDIRECT */
    const char *why;           /* one phrase, static, for what is neither SERVE nor GUARDED nor REDIRECT */
};

/* Tells each rule that was looked at, in that order: failed is the part that did not match, with which of the rule's
 * parts it is; NULL: all matched, or why says (static) what else kept the rule out. */
typedef void route_trace(void *arg, const struct route_entry *entry, const struct rule_part *failed, size_t part,
                         const char *why);

/* Decides. Takes no lock, allocates nothing, and ends whatever the patterns and the request are. Its cost does not
 * depend on rules that name other hosts. trace may be NULL. */
void route_view_decide(const struct route_view *view, struct route_scratch *scratch,
                       const struct route_request *request, route_trace *trace, void *trace_arg,
                       struct route_verdict *ret_verdict);

/* A short word for a kind, such as "serve". */
const char *route_verdict_text(enum route_verdict_kind kind);

#endif
