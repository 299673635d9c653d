/* SPDX-License-Identifier: MIT */
/* The last changes: what was received when, and when HAProxy acknowledged it. */
#include <json-c/json.h>
#include <stdio.h>

#include "engine_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

void change_free(struct change *change)
{
    if (change) {
        free(change->haproxy);
        free(change->backend);
        free(change->server);
        free(change->endpoint);
        free(change);
    }
}

void journal_add(struct journal *journal, struct change *change)
{
    struct change **place = &journal->changes[journal->next % ENGINE_MAX_CHANGES];
    change_free(*place);
    change->sequence = journal->next++;
    *place = change;
}

void journal_free(struct journal *journal)
{
    for (size_t i = 0; i < ENGINE_MAX_CHANGES; i++) {
        change_free(journal->changes[i]);
        journal->changes[i] = NULL;
    }
}

static struct json_object *change_show(const struct change *change)
{
    char time[32];
    char after[32];
    double after_ms = (double)(change->acknowledged_ns - change->received_ns) / 1e6;
    (void)snprintf(after, sizeof(after), "%.3f", after_ms);
    text_format_time(change->time_ms, time);
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "sequence", json_object_new_int64((int64_t)change->sequence));
    json_object_object_add(object, "received", json_object_new_string(time));
    json_object_object_add(object, "acknowledged_after_ms", json_object_new_double_s(after_ms, after));
    json_object_object_add(object, "haproxy", json_object_new_string(change->haproxy));
    json_object_object_add(object, "backend", json_object_new_string(change->backend));
    json_object_object_add(object, "slot", json_object_new_string(change->server));
    endpoint_key_show(object, change->endpoint);
    json_object_object_add(object, "action", json_object_new_string(change->action));
    json_object_object_add(object, "address", json_object_new_string(change->address));
    json_object_object_add(object, "port", json_object_new_int(change->port));
    json_object_object_add(object, "weight", json_object_new_int(change->weight));
    return object;
}

struct json_object *journal_show(const struct journal *journal, uint64_t from, uint64_t *ret_next)
{
    uint64_t oldest = journal->next > ENGINE_MAX_CHANGES ? journal->next - ENGINE_MAX_CHANGES : 0;
    struct json_object *events = json_object_new_array();
    for (uint64_t i = from > oldest ? from : oldest; i < journal->next; i++) {
        json_object_array_add(events, change_show(journal->changes[i % ENGINE_MAX_CHANGES]));
    }
    struct json_object *document = json_object_new_object();
    json_object_object_add(document, "events", events);
    json_object_object_add(document, "next", json_object_new_int64((int64_t)journal->next));
    *ret_next = journal->next;
    return document;
}
