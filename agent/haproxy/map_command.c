/* SPDX-License-Identifier: MIT */
/* Maps on HAProxy's command line: what it prints of one, what it is told, and its answers. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/map.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- `show map FILE` ---- */

static bool begins(const char *text, size_t len, const char *with)
{
    size_t with_len = strlen(with);
    return len >= with_len && memcmp(text, with, with_len) == 0;
}

static bool is_reference(const char *text)
{
    return strncmp(text, "0x", 2) == 0 && text[2] && strspn(text + 2, "0123456789abcdef") == strlen(text + 2);
}

/* "0xREFERENCE KEY VALUE", in place: the value is the rest of the line. */
static int entry_parse(char *line, struct map_entry *ret_entry)
{
    char *key = strchr(line, ' ');
    char *value = key ? strchr(key + 1, ' ') : NULL;
    if (!key || key[1] == ' ' || !value) {
        return SLOTD_E_PARSE;
    }
    *key = *value = '\0';
    if (!is_reference(line)) {
        return SLOTD_E_PARSE;
    }
    *ret_entry = (struct map_entry){.reference = line, .key = key + 1, .value = value + 1};
    return 0;
}

static int content_read_lines(struct map_content *content, struct buf *why)
{
    size_t capacity = 0;
    char *rest = content->text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (line[0] == '\0') {
            continue;
        }
        MEM_GROW(content->entries, capacity, content->count + 1);
        int err = entry_parse(line, &content->entries[content->count]);
        if (err) {
            buf_puts(why, "not an entry of a map: ");
            text_append_safe(why, line, strlen(line), 60);
            return err;
        }
        content->count++;
    }
    return 0;
}

int map_content_parse(const char *text, size_t len, struct map_content **ret_content, struct buf *why)
{
    if (begins(text, len, "Unknown map identifier")) {
        buf_puts(why, "its configuration has no such map");
        return SLOTD_E_REFUSED;
    }
    if (memchr(text, '\0', len)) {
        buf_puts(why, "a byte 0 in it");
        return SLOTD_E_PARSE;
    }
    struct map_content *content = MEM_NEW(struct map_content);
    content->text = mem_strndup(text, len);
    int err = content_read_lines(content, why);
    if (err) {
        map_content_free(content);
        return err;
    }
    *ret_content = content;
    return 0;
}

void map_content_free(struct map_content *content)
{
    if (content) {
        free(content->entries);
        free(content->text);
        free(content);
    }
}

/* ---- commands ---- */

void map_plan_free(struct map_plan *plan)
{
    free(plan->commands);
    *plan = (struct map_plan){0};
}

bool map_name_is_usable(const char *name)
{
    return name[0] == '/' && text_is_map_word(name);
}

static bool is_word(const char *text)
{
    return text && text_is_map_word(text);
}

int map_command_format(const char *name, const struct map_command *command, struct buf *line)
{
    bool is_change = command->kind == MAP_COMMAND_ADD || command->kind == MAP_COMMAND_SET;
    if (!map_name_is_usable(name)) {
        return SLOTD_E_REFUSED;
    }
    if (command->kind == MAP_COMMAND_DROP) {
        if (!command->reference || !is_reference(command->reference)) {
            return SLOTD_E_REFUSED;
        }
        buf_printf(line, "del map %s #%s", name, command->reference);
        return 0;
    }
    if (!is_word(command->key) || (is_change && !is_word(command->value))) {
        return SLOTD_E_REFUSED;
    }
    if (is_change) {
        buf_printf(line, "%s map %s %s %s", command->kind == MAP_COMMAND_ADD ? "add" : "set", name, command->key,
                   command->value);
    } else {
        buf_printf(line, "del map %s %s", name, command->key);
    }
    return 0;
}

enum haproxy_reply map_reply_judge(const char *reply, size_t len)
{
    static const char *const refusals[] = {"Unknown map identifier", "entry not found.", "Key not found.",
                                           "'add map' expects", "'set map' expects"};
    size_t blank = 0;
    while (blank < len && (reply[blank] == '\n' || reply[blank] == '\r' || reply[blank] == ' ')) {
        blank++;
    }
    if (blank == len) {
        return HAPROXY_REPLY_DONE;
    }
    if (begins(reply, len, "Permission denied")) {
        return HAPROXY_REPLY_DENIED;
    }
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (begins(reply, len, refusals[i])) {
            return HAPROXY_REPLY_REFUSED;
        }
    }
    return HAPROXY_REPLY_UNEXPECTED;
}
