/* SPDX-License-Identifier: MIT */
/* One request line of the control protocol, checked part by part. */
#include <json-c/json.h>
#include <string.h>

#include "slotd/control.h"
#include "slotd/error.h"
#include "slotd/mem.h"

#define REQUEST_MAX_DEPTH 8
#define REQUEST_MAX_NAMES 1000

static int refuse(struct buf *why, int err, const char *text)
{
    buf_puts(why, text);
    return err;
}

static int read_names(struct json_object *names, struct control_request *request, struct buf *why)
{
    if (!json_object_is_type(names, json_type_array)) {
        return refuse(why, SLOTD_E_TYPE, "arguments.names must be a list of strings");
    }
    size_t count = json_object_array_length(names);
    if (count > REQUEST_MAX_NAMES) {
        return refuse(why, SLOTD_E_LIMIT, "arguments.names holds more than 1000 names");
    }
    request->names = mem_alloc_array(count, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        struct json_object *name = json_object_array_get_idx(names, i);
        if (!json_object_is_type(name, json_type_string)) {
            return refuse(why, SLOTD_E_TYPE, "arguments.names must be a list of strings");
        }
        request->names[request->n_names++] = mem_strdup(json_object_get_string(name));
    }
    return 0;
}

static int read_arguments(struct json_object *arguments, struct control_request *request, struct buf *why)
{
    if (!json_object_is_type(arguments, json_type_object)) {
        return refuse(why, SLOTD_E_TYPE, "arguments must be an object");
    }
    json_object_object_foreach(arguments, key, value)
    {
        int err = 0;
        if (strcmp(key, "names") == 0) {
            err = read_names(value, request, why);
        } else if (strcmp(key, "follow") == 0 && json_object_is_type(value, json_type_boolean)) {
            request->follow = json_object_get_boolean(value);
        } else if (strcmp(key, "from") == 0 && json_object_is_type(value, json_type_int) &&
                   json_object_get_int64(value) >= 0) {
            request->from = (uint64_t)json_object_get_int64(value);
        } else if (strcmp(key, "timeout") == 0 && json_object_is_type(value, json_type_string) && !request->timeout) {
            request->timeout = mem_strdup(json_object_get_string(value));
        } else if (strcmp(key, "for") == 0 && json_object_is_type(value, json_type_string) && !request->lasts) {
            request->lasts = mem_strdup(json_object_get_string(value));
        } else {
            err = refuse(why, SLOTD_E_TYPE,
                         "arguments may be names (a list of strings), follow (a boolean), from (a number from 0 up), "
                         "timeout and for (durations as strings)");
        }
        if (err) {
            return err;
        }
    }
    return 0;
}

static int read_request(struct json_object *object, struct control_request *request, struct buf *why)
{
    struct json_object *version = NULL;
    struct json_object *command = NULL;
    struct json_object *arguments = NULL;
    if (!json_object_is_type(object, json_type_object)) {
        return refuse(why, SLOTD_E_TYPE, "a request is one JSON object on one line");
    }
    if (!json_object_object_get_ex(object, "slotd", &version) || !json_object_is_type(version, json_type_int) ||
        json_object_get_int64(version) != CONTROL_PROTOCOL) {
        return refuse(why, SLOTD_E_TYPE, "this slotd speaks version 1 of the protocol: {\"slotd\":1,\"command\":...}");
    }
    if (!json_object_object_get_ex(object, "command", &command) || !json_object_is_type(command, json_type_string)) {
        return refuse(why, SLOTD_E_TYPE, "command must be a string");
    }
    request->command = mem_strdup(json_object_get_string(command));
    if (json_object_object_get_ex(object, "arguments", &arguments)) {
        return read_arguments(arguments, request, why);
    }
    return 0;
}

int control_request_parse(const char *line, size_t len, struct control_request **ret_request, struct buf *why)
{
    if (len > CONTROL_MAX_REQUEST) {
        return refuse(why, SLOTD_E_LIMIT, "a request is at most 64 KiB long");
    }
    struct json_tokener *tokener = json_tokener_new_ex(REQUEST_MAX_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *object = json_tokener_parse_ex(tokener, line, (int)len);
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        /* A number alone ends only with the byte behind it. */
        object = json_tokener_parse_ex(tokener, "\n", 1);
    }
    bool complete =
        json_tokener_get_error(tokener) == json_tokener_success && json_tokener_get_parse_end(tokener) >= len;
    json_tokener_free(tokener);
    if (!complete) {
        json_object_put(object);
        return refuse(why, SLOTD_E_PARSE, "a request is one JSON object on one line");
    }
    struct control_request *request = MEM_NEW(struct control_request);
    int err = read_request(object, request, why);
    json_object_put(object);
    if (err) {
        control_request_free(request);
        return err;
    }
    *ret_request = request;
    return 0;
}

void control_request_free(struct control_request *request)
{
    if (!request) {
        return;
    }
    for (size_t i = 0; i < request->n_names; i++) {
        free(request->names[i]);
    }
    free(request->names);
    free(request->timeout);
    free(request->lasts);
    free(request->command);
    free(request);
}
