/* SPDX-License-Identifier: MIT */
/* A place in a JSON document and typed reads from it. The first wrong type is remembered with its path, and from then
 * on every read gives its default, so that a parser is one straight line that looks at the error once, at its end. */
#ifndef SLOTD_MARATHON_JSON_PLACE_H
#define SLOTD_MARATHON_JSON_PLACE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slotd/buf.h"

struct json_reading {
    struct buf *why; /* may be NULL */
    int err;
};

/* A value on the stack, with the chain of places above it. */
struct json_place {
    struct json_reading *reading;
    const struct json_place *above; /* NULL: the document itself */
    const char *key;                /* NULL: an element of a list, or the document */
    size_t index;
    struct json_object *value; /* NULL: absent or null */
    bool is_there;             /* false: absent */
    bool is_required;          /* absent and null are failures */
};

/* Parses exactly one document of at most MARATHON_MAX_DEPTH levels. Returns 0 and a value (NULL for `null`) that the
 * caller gives to json_object_put(), or SLOTD_E_PARSE, SLOTD_E_LIMIT or SLOTD_E_TYPE (a member's name with NUL in it)
 * with why. */
int json_document_parse(const char *json, size_t len, struct json_object **ret_document, struct buf *why);

struct json_place json_place_document(struct json_reading *reading, struct json_object *document);
struct json_place json_place_member(const struct json_place *above, const char *key);
struct json_place json_place_element(const struct json_place *above, size_t index);

/* Members that are absent or null give the default that is named here; elements and whatever else is required fail
 * then. */
bool json_place_is_object(const struct json_place *place);                  /* false */
size_t json_place_count(const struct json_place *place);                    /* of a list; 0 */
char *json_place_text(const struct json_place *place);                      /* "", owned by the caller */
int64_t json_place_integer(const struct json_place *place, int64_t absent); /* 0 and up */
int32_t json_place_port(const struct json_place *place);                    /* 0 */
bool json_place_flag(const struct json_place *place);                       /* false */
/* Must be there. */
char *json_place_required_text(const struct json_place *place);
/* Must be there, with 1 to MARATHON_MAX_ID_BYTES bytes. */
char *json_place_id(const struct json_place *place);

/* For a value that has its type and is still wrong: `PATH: EXPECTED expected, FOUND found`. */
void json_place_fail(const struct json_place *place, int err, const char *expected, const char *found);

/* A copy of text in which each byte that is not part of valid UTF-8 is U+FFFD. */
char *json_text_copy(const char *text, size_t len);

#endif
