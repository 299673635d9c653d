/* SPDX-License-Identifier: MIT */
/* Backends that are made at run time (HAProxy 3.4+): their commands, and the exact texts by which it answers. Pure. */
#ifndef SLOTD_BACKEND_COMMAND_H
#define SLOTD_BACKEND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "slotd/buf.h"

/* The first line of those that make or delete one: HAProxy's documentation calls them experimental, and the mode holds
 * for its connection alone. 3.4.0 takes them without it too. */
#define BACKEND_COMMAND_MODE "experimental-mode on"

enum backend_command {
    BACKEND_COMMAND_ADD,       /* without a server, and unpublished: HAProxy passes it over, and looks at the next
                                  `use_backend` */
    BACKEND_COMMAND_PUBLISH,   /* 503 as long as it has no server */
    BACKEND_COMMAND_UNPUBLISH, /* before it is deleted */
    BACKEND_COMMAND_DELETE,    /* takes one of the configuration too, if nothing refers to it */
};
/* Writes the command as one line, without line end. defaults: a named `defaults` section of HAProxy's configuration;
 * is_tcp: the mode, whatever that section says; both for ADD alone. Returns 0, or SLOTD_E_REFUSED where a name does not
 * pass text_is_haproxy_name(): then nothing is appended. */
int backend_command_format(enum backend_command command, const char *backend, const char *defaults, bool is_tcp,
                           struct buf *line);

enum backend_reply {
    BACKEND_REPLY_DONE,
    BACKEND_REPLY_EXISTS,     /* ADD: a backend, frontend or defaults section has that name */
    BACKEND_REPLY_SECTION,    /* ADD: HAProxy's configuration has no such defaults section */
    BACKEND_REPLY_UNFIT,      /* ADD: it was made, and takes no servers: the section's balance algorithm is static */
    BACKEND_REPLY_ABSENT,     /* PUBLISH and the later ones: there is no such backend */
    BACKEND_REPLY_BUSY,       /* DELETE: it has servers or streams */
    BACKEND_REPLY_REFUSED,    /* understood and refused: the text says why */
    BACKEND_REPLY_STALE,      /* an old process after a reload; reconnect */
    BACKEND_REPLY_DENIED,     /* the socket has another level than admin */
    BACKEND_REPLY_UNEXPECTED, /* no text we know: a version that has no such command, too */
};
/* Judges a reply by its last line: in 3.4.0 `del` repeats what it said before. */
enum backend_reply backend_reply_judge(enum backend_command command, const char *reply, size_t len);

/* Parses the answer to `show backend` into names that the caller frees with backend_names_free(). Returns 0, or
 * SLOTD_E_PARSE with why. */
int backend_names_parse(const char *text, size_t len, char ***ret_names, size_t *ret_count, struct buf *why);
void backend_names_free(char **names, size_t count);

#endif
