/* SPDX-License-Identifier: MIT */
/* HAProxy's Runtime API: the connection, its replies, what HAProxy shows of its servers, what its version can do. */
#ifndef SLOTD_HAPROXY_H
#define SLOTD_HAPROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "slotd/buf.h"
#include "slotd/slots.h"

/* ---- pure: what HAProxy prints ---- */

/* One row of `show servers state`: every column of the server-state file, by its header's names. */
struct haproxy_server {
    char *backend;
    char *name;
    struct slot_observed observed; /* observed.server points to name */
    bool is_slot; /* pre-provisioned for us: `disabled` in the configuration, with a name below `.invalid` as its
                     address; or added by us */
    const char **columns; /* the row as printed, n_columns of haproxy_state.header; one allocation a row, 100,000 rows
                             are normal */
    size_t printed;       /* its place in the answer */
};
struct haproxy_state {
    char **header; /* column names */
    size_t n_columns;
    struct haproxy_server
        *servers; /* sorted by backend name, then in the order printed: each backend's rows stand together */
    size_t count;
};
/* Parses the answer to `show servers state [BACKEND]`. Returns 0, SLOTD_E_PARSE (why names the row) or SLOTD_E_REFUSED
 * when the answer is an error text ("Can't find backend."). */
int haproxy_state_parse(const char *text, size_t len, struct haproxy_state **ret_state, struct buf *why);
void haproxy_state_free(struct haproxy_state *state);

/* Parses the answer to `show servers conn BACKEND` (3.4 has other columns than 2.6): a row a server. Returns 0,
 * SLOTD_E_PARSE or SLOTD_E_REFUSED with why. The caller frees the rows with haproxy_sessions_free(). */
int haproxy_sessions_parse(const char *text, size_t len, struct slot_sessions **ret_rows, size_t *ret_count,
                           struct buf *why);
#define HAPROXY_STAT_MAX_VALUES 8
/* One row's values, in the order of the columns that were asked for, "" where the row ends before; they live as long as
 * the call. Anything but 0 ends the reading. */
typedef int haproxy_stat_row(void *arg, const char *const *values);
/* Reads an answer to `show stat`. columns: names, at most HAPROXY_STAT_MAX_VALUES of them, NULL behind. Returns 0, what
 * row returned, or SLOTD_E_PARSE or SLOTD_E_REFUSED with why. */
int haproxy_stat_read(const char *text, size_t len, const char *const *columns, haproxy_stat_row *row, void *arg,
                      struct buf *why);
/* The backend's id in that answer where it is of a HAProxy before 3.3, which counts no sessions of mode tcp there: then
 * the answer to `show stat ID 4 -1` has to complete the rows. 0: nothing is missing. */
long haproxy_sessions_find_id(const char *text, size_t len);
/* Takes that answer over: each row has the larger number afterwards. Returns 0, SLOTD_E_PARSE or SLOTD_E_REFUSED with
 * why. */
int haproxy_sessions_complete(const char *text, size_t len, const char *backend, struct slot_sessions *rows,
                              size_t count, struct buf *why);
void haproxy_sessions_free(struct slot_sessions *rows, size_t count);
/* Parses the answer to `show stat BACKEND 2 -1`: how many requests the backend has, with those that no server has (they
 * wait to be tried again, or for a free one). Returns 0, SLOTD_E_PARSE or SLOTD_E_REFUSED with why. */
int haproxy_backend_parse(const char *text, size_t len, int64_t *ret_sessions, struct buf *why);

struct haproxy_version {
    int major, minor, patch;
    char text[64];
};
/* From "2.6.12-1+deb12u3" or "3.3-dev2-abc". */
int haproxy_version_parse(const char *text, struct haproxy_version *ret_version);

/* What `show info` says that we use. */
struct haproxy_info {
    struct haproxy_version version;
    long pid;
    long uptime_s;
    bool stopping;
    long max_files;       /* Ulimit-n; 0: not said */
    long max_connections; /* Maxconn; 0: not said */
};
int haproxy_info_parse(const char *text, size_t len, struct haproxy_info *ret_info, struct buf *why);

/* What this version can do and needs; one table by version. */
struct haproxy_capabilities {
    bool late_address; /* 2.9+: `set server addr` is applied after its reply */
    bool add_server;   /* 2.6+ without experimental mode */
    bool add_backend;  /* 3.4+ */
    bool sess_server;  /* 3.2+: `show sess server` tells which requests refer to one */
    bool wait_command; /* 3.0+ */
    bool init_state;   /* 3.1+ */
    bool indexed_maps; /* 3.0+: `set map` and `del map` do not go through all entries */
    bool idle_pool;    /* 3.0+: an added server keeps idle connections without being told to */
    bool sni_auto;     /* 3.4+: an added TLS server is told the request's host, and its certificate has to have that
                          name, unless its options say otherwise; 3.3 does neither, and refuses those options */
};
struct haproxy_capabilities haproxy_capabilities_of(const struct haproxy_version *version);

/* Writes a planned command as one Runtime API line, without line end. Names, addresses and numbers are checked against
 * the closed alphabet of slotd/text.h; returns 0, or SLOTD_E_REFUSED when a part does not pass: then nothing is
 * appended. */
int haproxy_command_format(const char *backend, const struct slot_command *command, struct buf *line);
enum haproxy_reply {
    HAPROXY_REPLY_DONE,
    HAPROXY_REPLY_REFUSED,    /* understood and refused: the text says why */
    HAPROXY_REPLY_STALE,      /* "Proxy is disabled.": an old process after a reload; reconnect */
    HAPROXY_REPLY_DENIED,     /* the socket has another level than admin */
    HAPROXY_REPLY_STATIC,     /* a weight, or a server, that the backend's static algorithm does not take */
    HAPROXY_REPLY_BUSY,       /* a server that has connections is not deleted */
    HAPROXY_REPLY_UNEXPECTED, /* no text we know for this kind of command */
};
/* Judges the reply to a planned command, by an exact table of texts; everything unknown is UNEXPECTED. */
enum haproxy_reply haproxy_reply_judge(const struct slot_command *command, const char *reply, size_t len);

/* Splits the bytes of an interactive connection into replies, one for each command. Pure; feed it anything. */
struct haproxy_reply_reader;
typedef void haproxy_reply_complete(void *arg, const char *reply,
                                    size_t len); /* the reply without prompt and trailing blank line */
struct haproxy_reply_reader *haproxy_reply_reader_new(size_t max_bytes, haproxy_reply_complete *on_reply, void *arg);
void haproxy_reply_reader_free(struct haproxy_reply_reader *reader);
/* 0, or SLOTD_E_LIMIT when one reply outgrew max_bytes. */
int haproxy_reply_reader_feed(struct haproxy_reply_reader *reader, const char *data, size_t len);
void haproxy_reply_reader_reset(struct haproxy_reply_reader *reader);
/* Replies go there from now on; may be called by a receiver. */
void haproxy_reply_reader_redirect(struct haproxy_reply_reader *reader, haproxy_reply_complete *on_reply, void *arg);

/* ---- the connection ---- */

struct haproxy_connection;
struct haproxy_events {
    /* A worker answers: connected for the first time, again, or to another process after a reload. Adopt now. */
    void (*on_up)(void *arg, const struct haproxy_info *info);
    /* Commands cannot be sent now; why is a sentence. Each command without a reply was failed before. Called once until
     * on_up. */
    void (*on_down)(void *arg, const char *why);
};
/* err 0: reply holds the text (may be empty). err SLOTD_E_CLOSED, SLOTD_E_TIMEOUT or -errno: it is not known whether it
 * was done. */
typedef void haproxy_done(void *arg, int err, const char *reply, size_t len);

/* address: an absolute path, or host:port (a literal address, or a name looked up by the loop). Connects at once and
 * keeps trying, with a back-off from 10 ms to 1 s (100 ms for a path). A reload by somebody else is noticed within a
 * second (Stopping in `show info`), and at once by haproxy_connection_restart(). Nothing here blocks the loop; a frozen
 * HAProxy runs into the command time-out (5 s). */
struct haproxy_connection *haproxy_connection_new(uv_loop_t *loop, const char *address,
                                                  const struct haproxy_events *events, void *arg);
/* Queues one command line (no line end in it). Lines leave together, in one write, at haproxy_connection_flush(), or by
 * themselves in the next turn of the loop. Only between on_up and on_down. done is never called from inside this call.
 */
void haproxy_connection_send(struct haproxy_connection *connection, const char *line, haproxy_done *done, void *arg);
/* How often the peer is asked whether it is still the living process; HAPROXY_PROBE_MS unless said otherwise. */
#define HAPROXY_PROBE_MS 500
void haproxy_connection_set_probe(struct haproxy_connection *connection, unsigned probe_ms);
/* Writes now what is queued. */
void haproxy_connection_flush(struct haproxy_connection *connection);
/* The peer is an old process ("Proxy is disabled."): drops the connection and connects again at once. */
void haproxy_connection_restart(struct haproxy_connection *connection, const char *why);
bool haproxy_connection_is_up(const struct haproxy_connection *connection);
struct haproxy_statistics {
    uint64_t commands; /* lines sent, probes not counted */
    uint64_t failures; /* without a reply */
    uint64_t connects;
};
struct haproxy_statistics haproxy_connection_statistics(const struct haproxy_connection *connection);
/* Closes; commands without a reply are done with -ECANCELED before this returns, on_down is not called. Freed when the
 * loop has closed its handles. */
void haproxy_connection_close(struct haproxy_connection *connection);

/* ---- the server-state file ---- */

/* The file's content: version line and header, then each row with what has been applied since it was read. */
void haproxy_state_write_header(const struct haproxy_state *state, struct buf *content);
void haproxy_state_write_row(const struct haproxy_state *state, const struct haproxy_server *server,
                             const struct slot_observed *observed, struct buf *content);

#endif
