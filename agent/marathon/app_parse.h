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

#endif
