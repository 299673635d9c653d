/* SPDX-License-Identifier: MIT */
/* SPOP 2.0, the protocol between HAProxy's SPOE and its agents (HAProxy's doc/SPOE.txt): frames, data and actions.
 * Pure: no I/O, no allocation. What is read points into the bytes it was read from. */
#ifndef SLOTD_SPOP_H
#define SLOTD_SPOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOP_VARINT_MAX 10     /* bytes of the longest varint that 64 bits need */
#define SPOP_LENGTH_SIZE 4     /* bytes of the length before each frame, which does not count itself */
#define SPOP_FRAME_MIN 7       /* a frame without payload: type, flags, two ids of a byte */
#define SPOP_MAX_FRAME_MIN 256 /* the smallest max-frame-size that may be agreed on */
#define SPOP_ARGUMENTS_MAX 255 /* the number of arguments is a byte */

/* Why a connection ends: the status-code of a DISCONNECT frame. */
enum spop_code {
    SPOP_NORMAL = 0,
    SPOP_IO = 1,
    SPOP_TIMEOUT = 2,
    SPOP_TOO_BIG = 3,
    SPOP_INVALID = 4,
    SPOP_NO_VERSION = 5,
    SPOP_NO_MAX_FRAME_SIZE = 6,
    SPOP_NO_CAPABILITIES = 7,
    SPOP_BAD_VERSION = 8,
    SPOP_BAD_MAX_FRAME_SIZE = 9,
    SPOP_FRAGMENTED = 10,
    SPOP_INTERLACED = 11,
    SPOP_UNKNOWN_FRAME_ID = 12,
    SPOP_NO_RESOURCE = 13,
    SPOP_UNKNOWN = 99,
};

enum spop_frame_type {
    SPOP_UNSET = 0,
    SPOP_HAPROXY_HELLO = 1,
    SPOP_HAPROXY_DISCONNECT = 2,
    SPOP_NOTIFY = 3,
    SPOP_AGENT_HELLO = 101,
    SPOP_AGENT_DISCONNECT = 102,
    SPOP_ACK = 103,
};

#define SPOP_FIN UINT32_C(1)
#define SPOP_ABORT UINT32_C(2)

enum spop_type {
    SPOP_NULL,
    SPOP_BOOL,
    SPOP_INT32,
    SPOP_UINT32,
    SPOP_INT64,
    SPOP_UINT64,
    SPOP_IPV4,
    SPOP_IPV6,
    SPOP_STRING,
    SPOP_BINARY,
};

enum spop_scope { SPOP_PROCESS, SPOP_SESSION, SPOP_TRANSACTION, SPOP_REQUEST, SPOP_RESPONSE };

/* Bytes that somebody else owns; not NUL-terminated. */
struct spop_text {
    const char *data;
    size_t len;
};

#define SPOP_TEXT(literal) ((struct spop_text){(literal), sizeof(literal) - 1})

struct spop_value {
    enum spop_type type;
    bool boolean;          /* of SPOP_BOOL */
    uint64_t number;       /* of the four integers; a negative one in two's complement */
    struct spop_text text; /* of addresses (4 or 16 bytes in network order), strings and binaries */
};

/* A cursor over bytes. The first error stays, and from then on everything reads as empty. */
struct spop_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct spop_reader spop_reader_over(const void *data, size_t len);
/* Whether anything is left to be read, and nothing was wrong so far. */
bool spop_reader_more(const struct spop_reader *reader);
uint8_t spop_read_byte(struct spop_reader *reader);
/* At most 10 bytes; one whose value does not fit into 64 bits is an error. */
uint64_t spop_read_varint(struct spop_reader *reader);
struct spop_text spop_read_text(struct spop_reader *reader);
/* A type beyond the ten, and an integer that its type does not hold, are errors; flags mean something to SPOP_BOOL
 * alone. */
struct spop_value spop_read_value(struct spop_reader *reader);

struct spop_frame {
    uint8_t type; /* enum spop_frame_type, or one that nobody knows */
    uint32_t flags;
    uint64_t stream_id;
    uint64_t frame_id;
    struct spop_reader payload;
    size_t size; /* of the whole of it, with its length */
};

/* The frame that data begins with. Returns 1, or 0 when its end is not there yet, or a negative enum spop_code:
 * SPOP_TOO_BIG above max (bytes without the length; told as soon as the length is there), SPOP_INVALID. */
int spop_frame_read(const void *data, size_t len, size_t max, struct spop_frame *ret_frame);

struct spop_argument {
    struct spop_text name; /* may be empty */
    struct spop_value value;
};

struct spop_message {
    struct spop_text name;
    size_t argument_count;
    struct spop_argument arguments[SPOP_ARGUMENTS_MAX]; /* those behind argument_count are undefined */
};

/* The next message of a NOTIFY frame's payload. False at the end and at an error, which the reader tells. */
bool spop_message_read(struct spop_reader *payload, struct spop_message *ret_message);
/* The value of the first argument of that name, or NULL. */
const struct spop_value *spop_message_find(const struct spop_message *message, struct spop_text name);

struct spop_hello {
    uint32_t max_frame_size;
    bool pipelining;
    bool healthcheck;
    struct spop_text engine_id; /* empty when there is none */
};

/* What a HAPROXY-HELLO says. 0, or a negative enum spop_code to disconnect with. */
int spop_hello_read(const struct spop_frame *frame, struct spop_hello *ret_hello);
/* The status-code of a HAPROXY-DISCONNECT. 0, or -SPOP_INVALID. */
int spop_disconnect_read(const struct spop_frame *frame, uint64_t *ret_code);

/* Writes into a buffer of the caller's. What does not fit sets failed, which stays, and writes nothing. */
struct spop_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

struct spop_writer spop_writer_over(void *buffer, size_t size);
void spop_write_byte(struct spop_writer *writer, uint8_t byte);
void spop_write_varint(struct spop_writer *writer, uint64_t value);
void spop_write_text(struct spop_writer *writer, struct spop_text text);
void spop_write_value(struct spop_writer *writer, const struct spop_value *value);
/* Begins a frame, complete in itself (FIN). Returns where it starts, for spop_frame_end(), which sets its length. */
uint8_t *spop_frame_begin(struct spop_writer *writer, enum spop_frame_type type, uint64_t stream_id, uint64_t frame_id);
void spop_frame_end(struct spop_writer *writer, uint8_t *start);

/* Actions of an ACK frame. HAProxy puts its var-prefix before the name. A value that is SPOP_NULL is for
 * spop_unset_variable(): HAProxy below 2.3 crashed on it. */
void spop_set_variable(struct spop_writer *writer, enum spop_scope scope, struct spop_text name,
                       const struct spop_value *value);
void spop_set_text(struct spop_writer *writer, enum spop_scope scope, struct spop_text name, struct spop_text text);
void spop_unset_variable(struct spop_writer *writer, enum spop_scope scope, struct spop_text name);

/* Whole frames. */
void spop_agent_hello_write(struct spop_writer *writer, uint32_t max_frame_size, bool pipelining);
void spop_agent_disconnect_write(struct spop_writer *writer, enum spop_code code);

/* A short sentence for a code; "unknown error" for one that nobody knows. */
const char *spop_code_text(uint64_t code);

#endif
