/* SPDX-License-Identifier: MIT */
/* The parts of an app's parser that events need too. The results are owned by the caller, also when the reading failed.
 */
#ifndef SLOTD_MARATHON_APP_PARSE_H
#define SLOTD_MARATHON_APP_PARSE_H

#include "json_place.h"
#include "slotd/marathon.h"

/* Everything but the tasks. */
struct marathon_app *app_read_definition(const struct json_place *place);
int32_t *app_read_ports(const struct json_place *place, size_t *ret_count);
char **app_read_addresses(const struct json_place *place, size_t *ret_count);

/* The plain string that stands at the first member `id` of the object, whatever else is wrong with it; the caller
 * frees. NULL: there is none of 1 to MARATHON_MAX_ID_BYTES bytes without escapes. */
char *app_scan_id(const char *json, size_t len);

#endif
