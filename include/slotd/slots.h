/* SPDX-License-Identifier: MIT */
/* The slots of one HAProxy backend: which endpoint sits in which, and the commands that bring HAProxy there. Pure: no
 * I/O, no clock; commands go out as values, and what became of them comes back in. */
#ifndef SLOTD_SLOTS_H
#define SLOTD_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_MAX_ADDRESS 46 /* INET6_ADDRSTRLEN */

/* Bits of srv_admin_state (HAProxy's include/haproxy/server-t.h); tested as masks, never compared as a whole. */
enum slot_admin {
    SLOT_ADMIN_FMAINT = 0x01, /* maint by command */
    SLOT_ADMIN_IMAINT = 0x02, /* maint inherited */
    SLOT_ADMIN_CMAINT = 0x04, /* `disabled` in the configuration; stays for ever */
    SLOT_ADMIN_FDRAIN = 0x08, /* drain by command */
    SLOT_ADMIN_IDRAIN = 0x10, /* drain inherited */
    SLOT_ADMIN_RMAINT = 0x20, /* maint because a name did not resolve */
    SLOT_ADMIN_MAINT = 0x23,
    SLOT_ADMIN_DRAIN = 0x18,
};

/* A server as HAProxy shows it: the part of a `show servers state` row that planning needs. */
struct slot_observed {
    const char *server; /* its name */
    char address[SLOTS_MAX_ADDRESS];
    uint16_t port;
    uint16_t weight;     /* srv_uweight */
    uint16_t configured; /* srv_iweight */
    unsigned admin;      /* srv_admin_state */
    unsigned op_state;   /* srv_op_state: 0 stopped, 1 starting, 2 running, 3 stopping */
    bool checked;        /* a health check is configured, and decides op_state */
    bool has_agent;      /* an agent check is: it may set weight and drain by itself */
    bool check_off;      /* it has been switched off at run time: op_state stays as it is */
    uint16_t check_port; /* 0: follows the port */
    bool added;          /* by this program at run time: slots_name_added()'s name and id. It may be deleted */
};

/* Servers that are added to a backend are numbered from 1. HAProxy alone tells them from all others, also after a
 * restart of this program: by a name and an id, chosen and not counted, that no configuration has by chance. */
#define SLOTS_MAX_ADDED 256 /* in one backend */
#define SLOTS_MAX_ADDED_NAME 16
#define SLOTS_FIRST_ADDED_ID 100000 /* of number 0; hashes by id stay what they are over delete and add */
void slots_name_added(unsigned number, char ret_name[SLOTS_MAX_ADDED_NAME]);
/* The number of the added server of that name, or 0: it is none. */
unsigned slots_find_added(const char *name);

/* How many sessions a server has at the moment. */
struct slot_sessions {
    const char *server;
    int64_t sessions;
};

/* What should be served. Sorted by key, keys unique. */
struct slot_endpoint {
    const char *key;     /* borrowed for the call only */
    const char *address; /* a canonical IP literal (inet_ntop's form); NULL: not resolved yet, waits */
    uint16_t port;
    uint16_t weight;     /* 0..256, scaled already */
    uint16_t check_port; /* of the health check; 0: follows the port */
    bool drain;          /* no new sessions */
    bool operator_drain; /* asked for by an operator: holds also for the last one */
    bool operator_maint; /* that drain's time is over: maint, though sessions may be left */
    bool kept_only;      /* stays in the slot that it has, or that serves its address and is not one of a task that is
                          * over; gets no other */
    bool gone;           /* its task is explicitly over: out at once, also where it served before this program began */
};

enum slot_command_kind {
    SLOT_COMMAND_MAINT,
    SLOT_COMMAND_ADDRESS,    /* address and port */
    SLOT_COMMAND_CHECK_PORT, /* value; only on checked slots */
    SLOT_COMMAND_WEIGHT,     /* value */
    SLOT_COMMAND_READY,
    SLOT_COMMAND_DRAIN,
    SLOT_COMMAND_HEALTH_DOWN,   /* until a check passes; only on checked slots */
    SLOT_COMMAND_HEALTH_UP,     /* until a check fails; the same */
    SLOT_COMMAND_ENABLE_HEALTH, /* an added server has its checks off at first */
    SLOT_COMMAND_ADD,           /* a server: number and options */
    SLOT_COMMAND_ASK,           /* whether a request refers to an added one that is to be deleted; ok: none does */
    SLOT_COMMAND_DELETE,        /* an added one */
    SLOT_COMMAND_READ,          /* show servers state of this backend: its rows go to slots_observe() */
};

/* One that adds or deletes a server, or asks whether that may be done: no change of what a slot does. */
bool slot_command_is_growth(enum slot_command_kind kind);

struct slot_command {
    enum slot_command_kind kind;
    size_t slot;         /* index for slots_acknowledge(); unused by READ */
    const char *server;  /* borrowed from the slots; NULL in a preview's ADD */
    const char *address; /* borrowed; ADDRESS only */
    uint16_t port;       /* ADDRESS only */
    uint16_t value;      /* ADD: its number */
    const char *options; /* ADD only; those of slots_options */
};

#define SLOTS_NEVER INT64_MAX
struct slot_plan {
    struct slot_command *commands; /* in the order to be sent */
    size_t count;
    size_t capacity;
    int64_t again_ms; /* when time alone makes another plan due (on the clock of now_ms), or SLOTS_NEVER */
};
void slot_plan_free(struct slot_plan *plan);

/* What HAProxy's version makes necessary, what the operator has configured, and the time. */
struct slots_options {
    bool read_back;             /* addresses are applied late (2.9+): read them back before ready */
    bool init_state;            /* a server may start in another state than up (3.1+): it is read after ready */
    bool checked_start;         /* a checked slot takes traffic after its first good check, while others are up */
    int64_t now_ms;             /* any clock that does not jump */
    int64_t drain_timeout_ms;   /* how long a task that is on its way out keeps its sessions; then maint */
    const char *server_options; /* of servers to be added where slots lack; NULL: none are. Borrowed until the plan's
                                   commands are sent */
    bool deletes_servers;       /* HAProxy can delete those that were added and are needed no more */
    bool tells_requests;        /* it can be asked which requests refer to a server (3.2+): each deletion waits for that
                                   answer, and not for a time in which they have surely ended */
    int64_t surplus_ms;         /* how long one has to be free before; without tells_requests 10 s at least */
};

struct slots;
struct slots *slots_new(const char *backend);
void slots_free(struct slots *slots);
const char *slots_backend(const struct slots *slots);

/* All rows of this backend that are slots, in HAProxy's order of ids. complete: the connection is new (start,
 * reconnect, reload), commands in flight are forgotten and everything is compared anew; a slot that already has the
 * address of an endpoint is adopted. Not complete: the answer to a READ; only slots that wait for it, or are unknown,
 * take their row over. */
void slots_observe(struct slots *slots, const struct slot_observed *rows, size_t count, bool complete);
/* Takes over how many sessions the slots have; servers that are no slots are passed over. Asked for after a drain, 0
 * ends it: the slot is held in maint then. Asked for after maint, 0 lets a held slot be free. Returns whether a plan is
 * due. */
bool slots_take_sessions(struct slots *slots, const struct slot_sessions *rows, size_t count);
/* Compares rows that were read with what was applied. Which servers HAProxy's health checks have up is taken over; what
 * another hand has changed (drift) too, so that the next plan puts it right; a server that is not among the rows any
 * more is set aside. Slots with commands on their way are passed over. */
struct slots_comparison {
    bool changed; /* a plan is due */
    size_t drifted;
    const char *first; /* the first server that had; borrowed until the next observation */
};
struct slots_comparison slots_compare(struct slots *slots, const struct slot_observed *rows, size_t count);
/* Replaces what should be served. Endpoints keep their slot by key; new ones get free slots, freed oldest first, and
 * one that still has sessions only when there is no other; what does not fit waits, oldest first. One that drains and
 * gets another address leaves its slot for a free one that has no sessions left. */
void slots_set_desired(struct slots *slots, const struct slot_endpoint *endpoints, size_t count);
/* An operator drains the slot itself, whoever is there: it is given to an endpoint only when no other is free, and
 * nobody takes it over, who would drain there in turn. Stays with the server's name over complete observations; to be
 * said before slots_set_desired(). */
void slots_set_closed(struct slots *slots, size_t slot, bool closed);
/* Orphans are ready slots that no endpoint claims (found at adoption): they keep serving until released, since not
 * knowing a task is doubt. Call when enough complete answers have confirmed that nobody claims them. Releases at most
 * that many of them, those that take no new requests first, which the guard does not count; returns how many. */
size_t slots_release_orphans(struct slots *slots, size_t most);
/* Orphans without doubt: HAProxy came back with addresses that had been taken out of those slots before. */
size_t slots_release_revenants(struct slots *slots);
/* Slots that refused too often are set aside, out of service where HAProxy lets them; this tries them once more.
 * Returns how many there were. */
size_t slots_retry_aside(struct slots *slots);
/* Appends the commands that can be sent now, and counts them as in flight. Nothing differs: nothing is appended. */
void slots_plan(struct slots *slots, const struct slots_options *options, struct slot_plan *plan);
/* The same commands without counting them as sent, for `slotctl plan`. */
void slots_preview(const struct slots *slots, const struct slots_options *options, struct slot_plan *plan);
/* What became of a command: ok, or refused or unexpected (the slot is unknown then and read again before it is used;
 * one that refuses a word about its health counts as not checked). READ is acknowledged by
 * slots_observe(complete=false), and by this only when it failed. */
void slots_acknowledge(struct slots *slots, const struct slot_command *command, bool ok);
/* HAProxy refused a weight since the backend's algorithm is static: it takes 0 and the configured one, and nothing else
 * is asked of it any more until the next complete observation. Call before slots_acknowledge(), ok. */
void slots_fix_weights(struct slots *slots);
bool slots_weights_are_fixed(const struct slots *slots);
/* The connection is gone: nothing is in flight, everything is unknown until slots_observe(complete=true). */
void slots_forget(struct slots *slots);
/* How many servers the backend lacks, and what became of that. */
struct slots_growth {
    size_t added;       /* there by now */
    size_t lacking;     /* endpoints that the last plan found without a slot, and none on its way for */
    bool limited;       /* SLOTS_MAX_ADDED is reached */
    bool refused;       /* the last one was not added: tried again after a while, that doubles from 1 s to 5 min */
    size_t undeletable; /* needed no more, and HAProxy has refused to delete them */
};
struct slots_growth slots_get_growth(const struct slots *slots);
/* Whether sessions are left, or not known, of what an operator drains, also when its time is over, or of a slot that
 * nobody has any more. */
bool slots_await_sessions(const struct slots *slots);
/* Whether at least one slot has a health check. */
bool slots_are_checked(const struct slots *slots);
/* Whether a health check's result is waited for: one starts, or a task on its way out serves, or would serve again, as
 * long as no other is up; or nothing is up as far as is known, and one that is down may be up by now: who comes then is
 * to wait for its first check. */
bool slots_await_health(const struct slots *slots);

enum slot_state {
    SLOT_FREE,
    SLOT_ASSIGNING,
    SLOT_STARTING, /* ready, and waits for its first good check */
    SLOT_READY,
    SLOT_DOWN, /* ready, and HAProxy's health check has it down */
    SLOT_DRAINING,
    SLOT_HELD, /* in maint, drained or with sessions that may still be open */
    SLOT_LEAVING,
    SLOT_ORPHAN,
    SLOT_UNKNOWN,
    SLOT_ABSENT /* an added server that is not there yet, or not any more: no slot */
};
const char *slot_state_text(enum slot_state state);
struct slot_view {
    const struct slot_observed *observed; /* as last read or acknowledged */
    enum slot_state state;
    const char *endpoint; /* key, or NULL */
    int64_t sessions;     /* as last read; -1: never */
    bool busy;            /* commands for it are on their way, or what they did is being read */
};
size_t slots_count(const struct slots *slots);
struct slot_view slots_view(const struct slots *slots, size_t slot);
/* The slot's index of the endpoint with that key, or -1: it waits, or is not known. */
long slots_find_endpoint(const struct slots *slots, const char *key);
struct slots_counts {
    size_t slots, free, assigning, starting, ready, down, draining, held, leaving, orphans, unknown;
    size_t waiting;    /* endpoints without a slot because all are taken */
    size_t unresolved; /* endpoints without an address */
    size_t wanted;     /* endpoints that are to serve, wherever they are, also where an operator drains them */
    size_t served;     /* slots that served at the last complete observation */
    size_t added;      /* slots that this program has added; absent ones are not among the slots */
};
struct slots_counts slots_count_states(const struct slots *slots);

#endif
