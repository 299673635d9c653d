/* SPDX-License-Identifier: MIT */
/* The state behind slotd/slots.h: each slot has a role, each endpoint a slot or a place in the queue. */
#ifndef SLOTS_PRIVATE_H
#define SLOTS_PRIVATE_H

#include "slotd/slots.h"
#include "slotd/table.h"

#define SLOTS_NONE SIZE_MAX
#define SLOTS_MAX_FAILURES 3 /* in a row; then the slot is set aside */
#define SLOTS_MAX_READS 20   /* of an address that does not appear */

enum slot_role {
    ROLE_FREE,
    ROLE_OWNED,   /* by an endpoint */
    ROLE_LEAVING, /* its endpoint is over, or has moved: on the way to maint */
    ROLE_ORPHAN,  /* serves, and nobody claims it */
    ROLE_ASIDE,   /* refused too often */
    ROLE_ABSENT,  /* an added server that is not there yet, or not any more; its place is kept for the next one */
    ROLE_DELETING,
};

struct wanted;
struct slot {
    char *server;
    struct slot_observed observed; /* observed.server is server */
    enum slot_role role;
    struct wanted *owner; /* ROLE_OWNED */
    char *key;            /* of the endpoint that had it last; for messages */
    bool hard;            /* ROLE_LEAVING: its task is explicitly over, nothing is waited for */
    bool taken_out;       /* from the endpoint that had it last; also when HAProxy comes back with its address */
    bool distrusted;      /* ROLE_LEAVING: refused too often, is set aside once it serves no more */
    bool unknown;         /* observed may be wrong: read before use */
    bool reading;         /* waits for a READ that shows its address */
    bool starting;        /* no check has passed since it was made ready, or none is known to have */
    bool idle;            /* ROLE_FREE: it has no sessions left */
    bool foreign;         /* another hand has given it an address while it served: it leaves that at once */
    bool closed;          /* an operator drains it, whoever is there */
    unsigned in_flight, failures, reads;
    int64_t drain_since_ms;               /* a plan has seen it in drain since then; SLOTS_NEVER: not in drain */
    int64_t sessions;                     /* as last read; -1: never since the observation that made the slot */
    char sent_address[SLOTS_MAX_ADDRESS]; /* of the last ADDRESS sent: the owner may want another one by now */
    uint16_t sent_port;
    bool unsure;             /* that address may still be applied late (2.9+): no row is believed before it shows it */
    int64_t free_since_ms;   /* an added one: a plan has seen it free since then; SLOTS_NEVER: it is not */
    int64_t delete_again_ms; /* not tried before */
    unsigned delete_failures;
    bool delete_refused;             /* since the last plan */
    bool unreferenced;               /* DELETING: no request refers to it, HAProxy has said */
    size_t previous_free, next_free; /* the queue of free slots, freed oldest first */
};

/* An endpoint as desired. */
struct wanted {
    char *key;
    char address[SLOTS_MAX_ADDRESS]; /* "" while not resolved */
    uint16_t port;
    uint16_t weight;
    uint16_t check_port;
    bool drain, operator_drain, operator_maint, kept_only;
    bool drained;                   /* no session was left after the operator's drain */
    bool listed;                    /* in the set that is being taken over */
    size_t slot;                    /* or SLOTS_NONE */
    struct wanted *previous, *next; /* the queue of those without a slot, oldest first */
};

/* Freed oldest first. */
struct free_queue {
    size_t first, last;
};

/* How servers are added to the backend. */
struct growth {
    size_t lacking; /* as the last plan found */
    bool proven;    /* HAProxy has added one since the last complete observation: the others need not wait for it */
    bool refused;   /* since the last plan */
    bool failed;    /* the last one */
    unsigned failures;
    int64_t again_ms; /* none is added before */
};

struct slots {
    char *backend;
    struct slot *slots;
    size_t count, capacity;
    struct growth growth;
    struct table wanted; /* key to struct wanted */
    struct wanted *first_waiting, *last_waiting;
    struct free_queue idle, held; /* free slots without sessions, and those whose sessions are open or not known */
    size_t served;                /* slots that served at the last complete observation */
    bool observed;                /* a complete observation has come, and the connection stands */
    bool planned;                 /* a plan was asked for since: what is decided is sent at once */
    bool broken;        /* READ was refused too often: nothing is planned until the next complete observation */
    bool weights_fixed; /* the algorithm is static */
    bool unsettled;     /* slots have changed since those that wait were looked at */
    bool checked;       /* at least one slot is */
    bool has_added;     /* a server is, was, or is being since the last complete observation */
    bool blind;         /* a server that is up may have to go: which others are is read before */
    unsigned reads_in_flight, read_failures;
};

void slot_take_row(struct slot *slot, const struct slot_observed *row);
/* It is not used any more, whoever it belonged to. */
void slot_set_aside(struct slots *slots, size_t place);
/* HAProxy has it no more. */
void slot_lose(struct slots *slots, size_t place);
bool slot_is_in_maint(const struct slot *slot);
bool slot_is_draining(const struct slot *slot);
/* It takes new sessions. */
bool slot_is_serving(const struct slot *slot);
/* HAProxy keeps it in maint for reasons that commands cannot end. */
bool slot_is_unusable(const struct slot *slot);
bool slot_has_address_of(const struct slot *slot, const struct wanted *wanted);
/* Health checks do not have it down, as far as is known. */
bool slot_is_up(const struct slot *slot);
/* Its health check is configured, and runs when the slot is ready. */
bool slot_has_check(const struct slot *slot);
/* It serves, and nothing that is decided already takes it out. */
bool slot_keeps_serving(const struct slot *slot);
/* The same with a weight above 0. */
bool slot_carries_traffic(const struct slot *slot);
/* It carries traffic at an address that its endpoint has no more. */
bool slot_is_mover(const struct slot *slot);
/* Its endpoint is on its way out and it takes no new sessions, but would again if nothing else did. */
bool slot_rests(const struct slot *slot);
/* It takes new sessions at its endpoint's address, and is meant to. */
bool slot_is_really_ready(const struct slot *slot);

/* Slots by address, the best of each address: serving before draining before in maint. */
struct address_index {
    struct table table; /* "address port" to place + 1 */
    char **keys;
    size_t n_keys;
};
void address_index_build(struct address_index *index, const struct slots *slots,
                         bool (*takes)(const struct slot *slot));
size_t address_index_find(const struct address_index *index, const char *address, uint16_t port);
void address_index_free(struct address_index *index);

/* ---- added servers ---- */

/* It is there, and may be used or deleted. */
bool slot_is_present(const struct slot *slot);
/* Its checks are configured and off: they are switched on before it is used. */
bool slot_needs_checks(const struct slot *slot);
/* Who is to stay goes from there to free slots that a reload of HAProxy keeps. */
void servers_leave(struct slots *slots);
/* How many are on their way, or asked about. */
size_t slots_count_arriving(const struct slots *slots);
/* Appends ADD for what lacks, and DELETE for what is needed no more. Returns how many it adds. */
size_t servers_plan(const struct slots *slots, const struct slots_options *options, size_t lacking,
                    struct slot_plan *plan);
/* Takes over what replies have said since the last plan, and the time. */
void servers_keep_time(struct slots *slots, const struct slots_options *options);
/* When the next one may be added or deleted, or SLOTS_NEVER. */
int64_t servers_next_deadline(const struct slots *slots, const struct slots_options *options);
void servers_note_sent(struct slots *slots, struct slot_command *command);
void servers_acknowledge(struct slots *slots, const struct slot_command *command, bool ok);
/* The row of one that was absent has been read. */
void servers_take_read(struct slots *slots, size_t place);

void slots_push_free(struct slots *slots, size_t place);
void slots_take_free(struct slots *slots, size_t place);
/* A free slot's sessions have ended. */
void slots_set_idle(struct slots *slots, size_t place);
void slots_push_waiting(struct slots *slots, struct wanted *wanted);
void slots_take_waiting(struct slots *slots, struct wanted *wanted);
void slots_own(struct slots *slots, size_t place, struct wanted *wanted);
/* A free slot may be given to an endpoint; closed: to one that an operator drains there. */
bool slot_is_usable(const struct slot *slot, bool closed);
/* The owner goes to a free slot, which serves before the old one leaves. */
void slots_change_places(struct slots *slots, size_t from, size_t to);
/* The owner gives the slot up; the slot leaves. */
void slots_leave(struct slots *slots, size_t place, bool hard);
/* Frees what has left, gives free slots to those that wait. */
void slots_settle(struct slots *slots);
/* The same after one slot changed; who gets it is left to slots_settle_rest(), once for many of them. */
void slots_settle_slot(struct slots *slots, size_t place);
void slots_settle_rest(struct slots *slots);
/* The first plan since an observation: what is decided can be sent from now on. */
void slots_begin_plan(struct slots *slots);
/* One that is up may have to leave: others have to be looked at first. */
void slots_go_blind(struct slots *slots);
void wanted_free(struct wanted *wanted);
/* An operator has drained it to the end: its slot is held in maint. */
bool wanted_is_held(const struct wanted *wanted);
/* A task that is on its way out, or only kept where it serves, gets no new slot. */
bool wanted_needs_slot(const struct wanted *wanted);

#endif
