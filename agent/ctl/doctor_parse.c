/* SPDX-License-Identifier: MIT */
/* What HAProxy shows of itself, and what its files say, as far as doctor needs it. */
#include <string.h>

#include "doctor.h"
#include "slotd/mem.h"

const char *doctor_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- `show map` ---- */

/* The text between two marks; NULL: it is not there. The caller frees. */
static char *cut_between(const char *line, const char *open, const char *close)
{
    const char *start = strstr(line, open);
    const char *end = start ? strstr(start + strlen(open), close) : NULL;
    return end ? mem_strndup(start + strlen(open), (size_t)(end - start) - strlen(open)) : NULL;
}

/* "2 (/maps/r.map) pattern loaded from file '/maps/r.map' used by map at file '/etc/haproxy.cfg' line 14. curr_ver=0"
 */
static char *find_place(const char *line)
{
    cleanup_free char *file = cut_between(line, " at file '", "' line ");
    cleanup_free char *number = cut_between(line, "' line ", ".");
    return file && number ? mem_printf("%s line %s", file, number) : mem_strdup("");
}

void doctor_parse_maps(const char *text, struct doctor_known_maps *ret_maps)
{
    struct doctor_known_maps maps = {0};
    size_t capacity = 0;
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *name = line[0] == '#' ? NULL : cut_between(line, " (", ") ");
        if (name && name[0]) {
            MEM_GROW(maps.items, capacity, maps.count + 1);
            maps.items[maps.count++] = (struct doctor_known_map){.name = name, .place = find_place(line)};
        } else {
            free(name); /* without a file: of an expression */
        }
    }
    *ret_maps = maps;
}

/* ---- `show stat` ---- */

enum column { COLUMN_BACKEND, COLUMN_SERVER, COLUMN_MODE, COLUMN_BALANCE };

struct backends_reader {
    struct doctor_backends backends;
    size_t capacity;
};

static int take_backend(void *arg, const char *const *values)
{
    struct backends_reader *reader = arg;
    struct doctor_backends *backends = &reader->backends;
    if (strcmp(values[COLUMN_SERVER], "BACKEND") == 0) {
        MEM_GROW(backends->items, reader->capacity, backends->count + 1);
        backends->items[backends->count++] = (struct doctor_backend){
            .name = mem_strdup(values[COLUMN_BACKEND]),
            .mode = mem_strdup(values[COLUMN_MODE]),
            .balance = mem_strdup(values[COLUMN_BALANCE]),
        };
    }
    return 0;
}

void doctor_parse_backends(const char *text, struct doctor_backends *ret_backends)
{
    static const char *const columns[] = {
        [COLUMN_BACKEND] = "pxname",
        [COLUMN_SERVER] = "svname",
        [COLUMN_MODE] = "mode",
        [COLUMN_BALANCE] = "algo",
        NULL,
    };
    struct backends_reader reader = {0};
    cleanup_buf struct buf why = BUF_INIT;
    /* An answer that is none says nothing of backends. */
    (void)haproxy_stat_read(text, strlen(text), columns, take_backend, &reader, &why);
    *ret_backends = reader.backends;
}

/* ---- /proc/net/unix ---- */

/* HAProxy binds its socket as PATH.PID.tmp and renames it: its connections keep that name. */
static bool is_name_of(const char *name, const char *path)
{
    size_t len = strlen(path);
    if (strncmp(name, path, len) != 0) {
        return false;
    }
    size_t digits = name[len] == '.' ? strspn(name + len + 1, "0123456789") : 0;
    return name[len] == '\0' || (digits > 0 && strcmp(name + len + 1 + digits, ".tmp") == 0);
}

/* "Num: RefCount Protocol Flags Type St Inode Path"; St 03 is connected. */
size_t doctor_parse_clients(const char *text, const char *path)
{
    enum { WORDS = 8, STATE = 5, NAME = 7 };
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy;
    size_t clients = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        const char *words[WORDS];
        size_t count = 0;
        char *next = NULL;
        for (char *word = strtok_r(line, " ", &next); word && count < WORDS; word = strtok_r(NULL, " ", &next)) {
            words[count++] = word;
        }
        clients += count == WORDS && strcmp(words[STATE], "03") == 0 && is_name_of(words[NAME], path);
    }
    return clients;
}

/* ---- haproxy.cfg ---- */

void doctor_parse_configuration(const char *text, struct doctor_configuration *configuration)
{
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *words = NULL;
        line[strcspn(line, "#\r")] = '\0';
        const char *key = strtok_r(line, " \t", &words);
        const char *value = key ? strtok_r(NULL, " \t\"'", &words) : NULL;
        if (value && strcmp(key, "server-state-file") == 0) {
            free(configuration->state_file);
            configuration->state_file = mem_strdup(value);
        } else if (value && strcmp(key, "load-server-state-from-file") == 0 && strcmp(value, "global") == 0) {
            configuration->loads = true;
        }
    }
}

/* ---- a map's file ---- */

/* KEY, blanks, and the value up to the end of the line, in place; false: nothing that counts. */
static bool parse_map_line(char *line, struct map_entry *ret_entry)
{
    char *key = line + strspn(line, " \t");
    size_t len = strcspn(key, " \t\r");
    if (len == 0 || key[0] == '#') {
        return false;
    }
    char *value = key + len + strspn(key + len, " \t");
    char *end = value + strcspn(value, "\r");
    while (end > value && strchr(" \t", end[-1])) {
        end--;
    }
    *end = '\0';
    key[len] = '\0';
    *ret_entry = (struct map_entry){.reference = "", .key = key, .value = value};
    return true;
}

struct map_content *doctor_parse_map_file(const char *text)
{
    struct map_content *content = MEM_NEW(struct map_content);
    size_t capacity = 0;
    content->text = mem_strdup(text);
    char *rest = content->text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        struct map_entry entry;
        if (parse_map_line(line, &entry)) {
            MEM_GROW(content->entries, capacity, content->count + 1);
            content->entries[content->count++] = entry;
        }
    }
    return content;
}
