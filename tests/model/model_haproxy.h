/* SPDX-License-Identifier: MIT */
/* The simulated HAProxies: what they have, and what happens to them. */
#ifndef SLOTD_TESTS_MODEL_HAPROXY_H
#define SLOTD_TESTS_MODEL_HAPROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

struct chance;
struct wire;

#define MAX_HAPROXIES 2
#define MAX_BACKENDS 14
#define MAX_SLOTS 10
#define MAX_LINES 64
#define STAYS 4
#define N_MAPS 9 /* in the order of enum edge_map_kind */
#define MAP_ROUTES 4
#define MAP_PATHS 5
#define MAP_LEASES 8
#define STATE_FILE N_MAPS /* of the files that HAProxy starts with: the maps, and this */
#define N_FILES (N_MAPS + 1)

/* A map as HAProxy has it: the first line of a key counts. */
struct map_line {
    uint64_t reference;
    char key[48], value[32];
    bool is_foreign; /* by another hand */
};
struct runtime_map {
    struct map_line lines[MAX_LINES];
    size_t count;
    int64_t foreign_us; /* until then slotd may not know what is in it; NEVER: until it reads it */
};

/* Where a server was, and whose that was: an old state file leads there again. */
struct stay {
    char address[48];
    uint16_t port;
    size_t service;
};

/* What slotd has read of a server last. */
struct shown {
    char address[48];
    uint16_t port;
    bool is_in_maint;
};

/* A command for a server that HAProxy has refused. */
struct refusal {
    uint64_t wire;     /* on which it came; 0: none, or the server was shown since */
    int64_t at_us;     /* the last one */
    int64_t known_us;  /* since when slotd knows of it; 0: it does not */
    uint64_t known_at; /* place in the wire: from there on slotd knew */
    unsigned in_row;
};

struct server {
    struct backend *backend;
    char name[8];
    char address[48];
    uint16_t port, weight, check_port;
    unsigned admin, op_state;
    char late_address[48];
    uint16_t late_port;
    bool is_pending; /* that address is on its way */
    bool has_passed; /* a check since it was made ready */
    bool is_sick;    /* its checks fail, whatever is behind it */
    int64_t sessions;
    char endpoint[64];  /* slotd's key of who moved in last */
    int64_t foreign_us; /* the last time that somebody else changed it, or a command was refused */
    int64_t ready_us;   /* since when it takes new sessions; 0: it does not */
    int64_t excused_us; /* when slotd last could not know whose it is */
    int64_t idle_us;    /* since when it is in maint without sessions; 0: it is not */
    struct stay stays[STAYS];
    struct shown shown;
    size_t service; /* that has it by the last command of slotd that gave it away; NOBODY: none did */
    struct refusal refusal;
};
struct backend {
    struct haproxy *haproxy;
    size_t number; /* of its service, as in struct part; in a pool it changes, and may be NOBODY */
    char name[24];
    int64_t renumbered_us;
    const char *class;  /* of its pool; NULL: it is in none */
    size_t held;        /* the service that it was last given to, as HAProxy was told */
    size_t occupant;    /* whose tasks were in it at the adoption, if it was held for another; NOBODY from then on */
    int64_t taken_us;   /* when it was given to them: what led there before goes with the same commands */
    int64_t held_us;    /* the last moment of something of that service: a session, a line that leads there */
    int64_t doubted_us; /* when slotd could last doubt what leads there */
    bool is_opened;     /* its service has had a server there, or a route */
    bool checked;
    size_t n_servers;
    struct server servers[MAX_SLOTS];
    int64_t upset_us;   /* the last time that something changed by no command of slotd */
    int64_t command_us; /* the last one of slotd */
    int64_t must_serve; /* since when it may not go dark; 0: it may */
};
struct haproxy {
    const char *name, *socket, *maps_dir;
    const char *files[N_FILES];
    bool has_maps;
    struct runtime_map maps[N_MAPS];
    uint64_t references;
    struct buf read_files[N_FILES]; /* by the process that starts */
    bool is_loading;                /* one does */
    uint64_t loads;
    unsigned old_mask;  /* the files that it finds as they were when they were copied */
    int64_t strayed_us; /* until then what such files have led to may be wrong */
    bool is_late;       /* HAProxy 3.2: addresses are applied after the reply */
    bool init_down;     /* and servers start down */
    struct backend backends[MAX_BACKENDS];
    size_t n_backends;
    bool is_up;
    unsigned process; /* its pid; wires of older processes are those of one that stops */
    int64_t frozen_until_us;
    int64_t started_us;
    uint64_t commands;                /* that change something, by slotd */
    int64_t command_us;               /* the last one for a server */
    int64_t kept_us;                  /* when its state file was compared with it last */
    unsigned refuse_after, cut_after; /* commands; 0: never */
    bool cut_does_rest;
    struct buf old_files[N_FILES]; /* copies from earlier */
    bool is_verified;              /* slotd has held its leases against who serves */
    int64_t quiet_us; /* the last moment at which slotd could do nothing about it, by no fault of its own */
};
/* Those that run, whether slotd is configured for them or not. They fail independently. */
extern struct haproxy haproxies[MAX_HAPROXIES];
extern size_t n_haproxies;
/* The one after it; the first one after NULL. */
struct haproxy *haproxy_next(struct haproxy *haproxy);
struct haproxy *haproxy_pick(struct chance *chance);
void haproxies_begin(void);
void haproxies_reset(void);
void haproxy_input(struct wire *wire);
void haproxy_cut(struct haproxy *haproxy, unsigned percent_done);
/* old_mask: the files, bit by bit, that it then finds as they were when they were copied. */
void haproxy_crash(struct haproxy *haproxy, unsigned old_mask, int64_t down_us);
void haproxy_keep_files(struct haproxy *haproxy);
void haproxy_reload(struct haproxy *haproxy);
void haproxy_freeze(struct haproxy *haproxy, int64_t for_us);
/* Commands of slotd that change something, to all of them. */
uint64_t haproxies_count_commands(void);
void haproxy_note_closed(struct wire *wire);
bool server_in_maint(const struct server *server);
bool server_takes_new(const struct server *server);
bool server_carries(const struct backend *backend, const struct server *server);
void haproxies_run_checks(struct chance *chance, bool all_pass);
void haproxies_run_sessions(struct chance *chance);
void haproxy_meddle(struct chance *chance);
/* The line that a look-up finds: of paths.map the whole key, of routes.map the longest that it begins with; NULL: none.
 */
const struct map_line *haproxy_look_up(const struct haproxy *haproxy, const char *key, size_t *ret_map);
/* The first line of that key. */
const struct map_line *map_find(const struct runtime_map *map, const char *key);
/* Reads a file's lines as HAProxy does when it starts. */
void map_load(struct haproxy *haproxy, struct runtime_map *map, const struct buf *file);
bool map_is_tainted(const struct runtime_map *map);
struct backend *haproxy_find_backend(struct haproxy *haproxy, const char *name);
/* slotd has been told something that moves routes: what is on its way to HAProxy is older. */
void wires_note_told(void);
size_t count_carrying(const struct backend *backend);
/* Servers that take new sessions as far as slotd has a say, up or not. */
size_t count_serving(const struct backend *backend);
bool haproxy_has_backend(const struct haproxy *haproxy, size_t number);

#endif
