/* SPDX-License-Identifier: MIT */
/* The simulation of the whole world: the real engine with everything behind it, over a libuv, files, a Marathon and a
 * HAProxy that are made here. One seed is one run; time is virtual; nothing is left to chance but the seed. */
#ifndef SLOTD_TESTS_MODEL_H
#define SLOTD_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model_haproxy.h"
#include "slotd/buf.h"

#define MS INT64_C(1000) /* virtual time is counted in microseconds */
#define SECOND (1000 * MS)
#define NEVER INT64_MAX

/* ---- chance ---- */

/* A stream of numbers of its own for each purpose, so that taking one happening away leaves the others as they were. */
struct chance {
    uint64_t state;
};
void chance_seed(struct chance *chance, uint64_t seed, uint64_t purpose);
uint64_t chance_next(struct chance *chance);
uint64_t chance_below(struct chance *chance, uint64_t below);
bool chance_percent(struct chance *chance, unsigned percent);
/* A duration, mostly short, seldom up to most. */
int64_t chance_delay(struct chance *chance, int64_t least, int64_t most);

/* ---- time ---- */

typedef void happening(void *arg, uint64_t number);
struct scheduled;
int64_t now_us(void);
/* The happening takes place after that time. What is due at the same moment takes place in the order of the calls. */
void schedule(int64_t after_us, happening *what, void *arg, uint64_t number);
/* Takes the next one that is due until then; false when there is none, and it is that late. */
bool schedule_step(int64_t until_us);
void schedule_reset(void);

/* ---- what goes wrong ---- */

enum fault {
    FAULT_EVENT_LOST,
    FAULT_EVENT_DOUBLED,
    FAULT_EVENT_DELAYED,
    FAULT_STREAM_CUT,
    FAULT_LEADER_CHANGED,
    FAULT_ANSWER_OLD,
    FAULT_ANSWER_FAILED,
    FAULT_ANSWER_CUT,
    FAULT_ANSWER_HALF,
    FAULT_ANSWER_MALFORMED,
    FAULT_ANSWER_SLOW,
    FAULT_CONNECTION_CUT,
    FAULT_BATCH_CUT,
    FAULT_COMMAND_REFUSED,
    FAULT_HAPROXY_CRASHED,
    FAULT_HAPROXY_OLD_STATE,
    FAULT_HAPROXY_RELOADED,
    FAULT_HAPROXY_FROZEN,
    FAULT_FOREIGN_HAND,
    FAULT_CHECK_FAILED,
    FAULT_SLOTD_KILLED,
    FAULT_SLOTD_RESTARTED,
    FAULT_SLOTD_FROZEN,
    FAULT_DISK,
    FAULT_CLOCK,
    FAULT_NAME,
    FAULT_CONFIGURED,
    FAULT_HOUR,
    FAULT_HOUR_DOWN,
    FAULT_PART,
    N_FAULTS
};
extern const char *const fault_names[N_FAULTS];

struct profile {
    bool faults[N_FAULTS]; /* that may happen in this run */
    bool checked;          /* some backends have health checks */
    bool drain_unhealthy;
    bool names;     /* some hosts have names that must be resolved */
    bool operators; /* drain and weigh */
    size_t slots;   /* of each backend */
    size_t haproxies;
    bool segments;  /* some apps have several */
    bool readiness; /* some apps have readiness checks, and slotd respects them */
    size_t apps;
    int max_removal_percent;
    int64_t drain_timeout_ms;
    bool maps;       /* slotd keeps maps */
    unsigned own;    /* the services, bit by bit, that have a backend of their own name */
    unsigned pooled; /* backends in the pool of the class http, and */
    unsigned sticky; /* in that of the class sticky; both 0: no pools */
    int64_t release_delay_ms;
};

/* ---- the run ---- */

/* What slotd is configured with at the moment: it begins as the profile has it. */
struct settings {
    bool constrained; /* to apps with a tag */
    bool readiness;
    bool drain_unhealthy;
    int max_removal_percent;
    int64_t drain_timeout_ms;
    unsigned haproxies; /* a bit for each */
    unsigned names;     /* changes with the names that HAProxies have in it */
    unsigned marathon;  /* changes with the endpoints */
};

/* What happens soon after a line of a map is deleted: then the files are not what HAProxy has. */
struct ambush {
    bool is_armed;
    size_t map; /* the next line that goes from this one */
    bool kills, crashes, reloads;
    int64_t delay_us;
};

struct sim {
    uint64_t seed;
    struct profile profile;
    struct settings settings;
    int64_t settings_us; /* when they changed last */
    int64_t clock_us;    /* when the wall clock was set last */
    int64_t disk_us;     /* when the disk was full last */
    bool is_calm;        /* the time of faults is over */
    int64_t pace;        /* what happens by itself takes that many times as long */
    struct ambush ambush;
    int64_t must_serve;
    /* since when it may not go dark; 0: it may */ /* backends that have must_serve set may not go dark */
    uint64_t steps;
    int64_t lived_us; /* in all runs so far */
    uint64_t faults[N_FAULTS];
    bool trace;
    char *broken;        /* the rule that was broken, or NULL */
    const char *rule;    /* its short name, static */
    unsigned generation; /* of slotd: counts its starts */
    int64_t quiet_us;    /* the last moment of something that makes slotd late by no fault of its own */
};
extern struct sim sim;

/* A step: something small has happened, and every rule is checked. */
void step(void);
/* A rule is broken: the run ends. Says it once. */
void broken(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of the story, when it is traced. */
void tell(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));
void count_fault(enum fault fault);

/* ---- libuv, as far as slotd needs it; see uv.c ---- */

extern uv_loop_t sim_loop;
/* Something for slotd's loop to do: a callback in its next turn. */
void loop_ready(happening *what, void *arg, uint64_t number);
/* slotd does not run until then. */
void loop_freeze(int64_t until_us);
/* Everything of slotd that the loop has ends at once (it was killed, or has closed): handles are closed and freed. */
void loop_finish(void);
bool loop_is_frozen(void);
/* Whether it runs a callback of slotd. */
void loop_reset(void);

/* A connection from slotd to HAProxy. */
struct wire {
    uv_stream_t *stream; /* NULL: slotd has closed it */
    uv_read_cb read;
    uv_alloc_cb allocate;
    uv_connect_t *connecting;
    uv_connect_cb connected;
    struct buf input;  /* bytes for HAProxy */
    struct buf output; /* bytes for slotd, not read yet */
    int64_t input_us;  /* when the last of them is there */
    bool is_eof;       /* HAProxy has closed it */
    bool is_open;      /* HAProxy has accepted it */
    size_t older;      /* bytes of it that left before slotd was told what it was told last */
    bool is_older;     /* that line is one of these */
    uint64_t taken;    /* bytes that HAProxy has taken from it */
    uint64_t line_at;  /* where the line began that it took last */
    bool is_prompting, is_busy;
    unsigned process; /* of HAProxy that has accepted it */
    uint64_t number;
    struct haproxy *haproxy; /* at its other end */
    struct wire *next;
};
/* Bytes, or the end, for slotd to read. */
void wire_deliver(struct wire *wire, const char *data, size_t len);
void wire_end(struct wire *wire);
/* The one after it; the first one after NULL. */
struct wire *wire_next(struct wire *wire);

/* ---- files ---- */

void files_reset(void);
/* The content, or NULL; borrowed. */
const struct buf *files_get(const char *path);
void files_put(const char *path, const char *data, size_t len);
extern bool files_fail;   /* the disk is full */
extern bool files_frozen; /* slotd is dead: nothing is written any more */
extern int64_t wall_skew_ms;

/* ---- Marathon ---- */

#define MAX_APPS 6
#define MAX_TASKS 512
#define MAX_HOSTS 5
#define MAX_VARIANTS 8

enum life { LIFE_STAGING, LIFE_STARTING, LIFE_RUNNING, LIFE_KILLING, LIFE_UNREACHABLE, LIFE_OVER };

/* What a definition says that matters to the mapping. */
struct definition {
    unsigned version;
    unsigned config; /* the version of its last change but for instances */
    bool enabled;
    bool shares;         /* its backend is the one that two apps have in common */
    uint8_t weight;      /* label; 0: none */
    bool segments;       /* two, one for each port */
    uint8_t port_index;  /* 0 or 1; with segments that of the first */
    uint16_t check_port; /* 0: no label */
    uint8_t health_checks;
    uint8_t readiness_s; /* timeoutSeconds of its readiness check; 0: it has none */
    bool tagged;         /* has the tag that a constraint may ask for */
    uint8_t rule;        /* see definition_rule(); 0: no label */
    uint8_t class;       /* see class_names */
    unsigned instances;
};

#define CONFIRMATIONS 2 /* slots.missing_confirmations */

/* Of a readiness check, as answers have it while the deployment runs that started the task. */
enum result { RESULT_NONE, RESULT_BAD, RESULT_GOOD };

/* What this slotd has been told of a task, by receipt. */
struct told {
    enum life state;
    bool is_told;      /* of, at all */
    bool was_running;  /* told that it runs */
    int64_t event_us;  /* when the last event of it was received; 0: none */
    int64_t sent_us;   /* of the answer applied last */
    int64_t over_us;   /* when its end was told, after it was told that it runs; 0: not */
    bool by_instance;  /* its end was told of its instance alone: an answer may know better */
    bool is_buried;    /* an answer sent after its end has lacked it: it may be forgotten */
    unsigned absent;   /* complete answers in a row that lacked it */
    int64_t absent_us; /* when the last of them was complete */
    int64_t found_us;  /* when it was told of again after it had been absent */
    uint64_t named;    /* number of the newest request whose answer listed it */
    int64_t since_us;  /* when that state was told first */
    int64_t ran_us;    /* when an event told that it has started; 0: none did */
    bool ran_listed;   /* and an answer has told of it since */
    unsigned fresh;    /* the deployment that was in progress by that answer; 0: none */
    enum result result;
    bool was_lost; /* answers have lacked it so often that slotd may have forgotten its start */
};

struct task {
    char id[48];
    size_t app;
    unsigned version, config;
    uint8_t readiness_s; /* of the definition that it was started with */
    enum life state;
    bool is_listed; /* by answers; false: its app was deleted, or it was forgotten */
    bool is_unhealthy, was_unhealthy;
    size_t host;
    uint16_t ports[2];
    unsigned doings; /* counts changes of its life: a timer of an older one says nothing */
    int64_t started_us;
    unsigned deployment; /* that started it; 0: it replaces one that failed */
    enum result result;
    bool was_ready; /* as slotd was told once, or it served already */
    struct told told;
};

struct app {
    bool exists;
    struct definition definition;
    struct definition history[2]; /* as told to this slotd, the newest first */
    bool is_told, is_told_twice;
    unsigned deployment;      /* in progress; 0: none */
    unsigned told_deployment; /* by the newest answer */
    struct definition posted; /* by event, not in force yet */
    bool is_posted;
    int64_t posted_us;
    int64_t listed_us;  /* when the newest answer that told of it was asked for */
    bool has_ended;     /* slotd was told of its end */
    int64_t ended_us;   /* when an event told of it; a post is newer */
    bool was_deleted;   /* ever */
    int64_t moved_us;   /* when its endpoints last changed by a definition told */
    int64_t defined_us; /* when that was said, by event or by the request's time */
};

struct marathon {
    struct app apps[MAX_APPS];
    struct task tasks[MAX_TASKS];
    size_t n_tasks;
    unsigned versions, deployments;
    bool is_up;
    int64_t old_until_us; /* a new leader that answers what the former one knew at old_us */
    int64_t old_us;
    unsigned lose, twice, delay;              /* so many events from now on */
    unsigned fail, cut, halve, malform, slow; /* so many answers */
    uint64_t half;                            /* which half is told */
    unsigned part_answers, part_percent;      /* so many that lack so much, in calm */
    uint64_t part;                            /* which */
    unsigned moved_names;                     /* of hosts, bit by bit */
    int64_t names_us;                         /* when one moved last */
    bool is_stuck;                            /* no room for more tasks: nothing is started any more */
};
extern struct marathon marathon;
void marathon_begin(void);
void marathon_reset(void);
/* Lives one step further: starts and kills what the definitions ask for. */
void marathon_tend(struct chance *chance);
void marathon_post(struct chance *chance, size_t app);
void marathon_delete(struct chance *chance, size_t app);
void marathon_fail_task(struct chance *chance);
void marathon_lose_host(struct chance *chance);
void marathon_flip_health(struct chance *chance);
void marathon_cut_stream(void);
void marathon_change_leader(struct chance *chance);
/* Everything that is on its way somewhere arrives there. */
void marathon_settle(void);
bool marathon_is_settled(void);
/* Everything gets a new version. */
void marathon_redeploy(void);
/* Whether a leader that has loaded a part does not know of that task. */
bool part_lacks(size_t task);
void host_name(size_t host, char *text, size_t size);
void host_address(size_t host, char *text, size_t size);
/* Its name leads there, or did so a while ago: a name is looked up again after 30 s. */
bool host_is_at(size_t host, const char *address);
/* What an app makes of each of its tasks: a port of it in a backend, by the backend's number. */
#define MAX_PARTS 2
#define N_OWN_BACKENDS 6 /* one for each app, whether HAProxy has it or not */
#define BACKEND_SHARED 6
#define BACKEND_SEGMENT 7 /* and that of the next app */
#define N_BACKEND_NAMES 9
#define NOBODY N_BACKEND_NAMES
extern const char *const backend_names[N_BACKEND_NAMES + 1];
/* NOBODY: it is none of them. */
size_t backend_number(const char *name);
struct part {
    size_t backend; /* the service's number */
    uint8_t port_index;
    const char *segment;
};
size_t definition_parts(size_t app, const struct definition *definition, struct part parts[MAX_PARTS]);
#define N_CLASSES 3
extern const char *const class_names[N_CLASSES];
#define N_RULES 9
/* The label of that rule; empty: none. */
void definition_label(size_t app, const struct definition *definition, struct buf *label);
/* The rule of the app's segment. */
void definition_rule(size_t app, const struct definition *definition, const char *segment, struct buf *rule);
/* A key that a rule makes lead to its service. */
#define MAX_CLAIMS 8
struct claim {
    char key[48];
    bool is_exact;
};
struct claims {
    struct claim claims[MAX_CLAIMS];
    size_t count;
    size_t priority;
    size_t app; /* whose rule it is */
    uint8_t class;
    bool has_check;
};
/* Which definition of an app counts; NULL: none does. */
typedef const struct definition *definition_of(size_t app);
const struct definition *definition_told(size_t app);
const struct definition *definition_true(size_t app);
/* What the rule of the service makes of it; false: no app has it. */
bool service_claims(size_t service, definition_of *which, struct claims *claims);
bool claims_have(const struct claims *claims, const char *key, bool is_exact);
size_t app_number(const struct app *app);
/* slotd has died, or begins: it has been told of nothing. */
void marathon_forget_told(void);
/* The stream and the requests of a slotd that is gone. */
void client_reset(void);
void client_begin(void);
/* What Marathon knows at one moment, and answers. */
struct listed {
    uint16_t task;
    uint8_t state;
    bool is_unhealthy;
    uint8_t result;
};
struct snapshot {
    int64_t at_us;
    bool exists[MAX_APPS];
    struct definition definitions[MAX_APPS];
    unsigned deployments[MAX_APPS];
    struct listed *tasks;
    size_t n_tasks, capacity;
    size_t n_given; /* apps that an answer has told so far */
};
void snapshot_take(struct snapshot *snapshot);
void snapshot_write_app(const struct snapshot *snapshot, size_t app, struct buf *json);
/* A new leader may answer what an older one knew. */
void client_remember_old(void);
void marathon_come_up(void *arg, uint64_t answers_old);
void client_publish(size_t key, const char *name, char *json, size_t task, enum life state, size_t app,
                    const struct definition *definition);
void client_lose(const char *why);

/* ---- slotd ---- */

struct engine;
extern struct engine *slotd;
void slotd_start(bool confirm);
/* SIGHUP: another configuration. */
void slotd_configure(struct chance *chance);
void settings_change(struct chance *chance, struct settings *settings);
/* The one that settings ask for; the caller owns it. */
struct config *slotd_make_config(void);
#define WALL_START INT64_C(1700000000000) /* when a run begins, in milliseconds since 1970 */
void slotd_stop(void);
void slotd_kill(void);
void slotd_order(struct chance *chance);
void slotd_end_orders(void);
void slotd_confirm(void);
bool slotd_order_covers(size_t task, const char *backend, const char *server);
/* Whether an order that slotd has now drains the task where it is. */
bool slotd_drains(size_t task, const char *backend, const char *server);
/* Whether an order drains that slot itself. */
bool slotd_drains_slot(const char *name);
bool slotd_has_drains(void);
/* A complete answer: an order for whom so many of them lack may end. */
void slotd_note_answer(const struct snapshot *snapshot);
void slotd_reset(void);

/* ---- rules ---- */

void rules_reset(void);
/* Marathon runs somebody for it. */
bool backend_has_duties(const struct backend *backend);
/* A command comes from the slotd that runs now. */
void rules_sent(const char *words, const struct haproxy *haproxy, const char *name);
/* Before and after a command of slotd is executed. */
void rules_before(const struct wire *wire, const char *words, struct backend *backend, struct server *server);
void rules_after(const char *words, struct backend *backend, struct server *server);
/* A command for the server is executed, or refused. */
void rules_check_use(const struct wire *wire, const char *words, const struct backend *backend,
                     const struct server *server);
/* HAProxy refuses a command; slotd has read all that it was answered; the backend's servers are shown to it. */
void rules_note_refused(const struct wire *wire, const char *words, struct server *server);
void rules_note_read(const struct wire *wire);
void rules_note_shown(struct backend *backend);
/* Whether slotd, alive, still counts the task. */
bool rules_task_is_kept(const struct task *task);
/* The stream is live; all apps are asked for; a complete answer has ended. */
void rules_note_live(void);
void rules_note_asked(void);
void rules_note_answered(void);
/* Whether slotd still counts the app; also where there is no slotd. */
bool rules_app_is_kept(size_t app);
void rules_check(void);
/* Before and after a command of slotd changes a map. */
void rules_map_before(const struct wire *wire, size_t number, const char *key);
void rules_map_after(const struct wire *wire, size_t number, const char *key, bool is_deleted);
/* slotd reads a map that somebody else has changed. */
void rules_map_shown(struct haproxy *haproxy, size_t number);
/* HAProxy has started with what its files say. */
void rules_loaded(struct haproxy *haproxy);
void rules_check_orders(void);
void rules_note_confirm(void);
/* What should be, is. Returns NULL, or why not; the caller frees. */
char *rules_find_difference(void);

/* ---- stories ---- */

struct deed {
    uint16_t kind;
    uint16_t gap; /* in units of 10 ms, after the one before */
    uint32_t seed;
};
struct story {
    uint64_t seed;
    struct deed *deeds;
    size_t count;
};
void story_make(uint64_t seed, size_t count, struct story *story);
bool run_until(int64_t until_us);
bool trial_hour(bool slotd_lives);
bool trial_part(struct chance *chance);
/* Returns whether every rule held. */
bool story_run(const struct story *story, bool trace);
void story_shrink(struct story *story, unsigned runs, int64_t seconds);
void deed_do(const struct deed *deed);
/* slotd has deleted a line of that map. */
void ambush_note_deleted(struct haproxy *haproxy, size_t map);
void profile_make(uint64_t seed, struct profile *profile);

#endif
