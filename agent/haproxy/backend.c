/* SPDX-License-Identifier: MIT */
/* `show stat BACKEND 2 -1`: how many requests a backend has, those without a server too. */
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* The field at that place of a line of comma-separated values; what may be quoted stands behind the ones we read. */
static const char *line_find_field(const char *line, size_t column, size_t *ret_len)
{
    for (; column > 0 && *line; column--) {
        line += strcspn(line, ",");
        line += *line == ',';
    }
    *ret_len = strcspn(line, ",");
    return line;
}

/* Its column in the heading `# pxname,svname,...`. */
static bool header_find(const char *header, const char *name, size_t *ret_column)
{
    size_t len = strlen(name);
    size_t column = 0;
    for (const char *field = header + 2; *field; column++) {
        size_t field_len = strcspn(field, ",");
        if (field_len == len && strncmp(field, name, len) == 0) {
            *ret_column = column;
            return true;
        }
        field += field_len + (field[field_len] == ',');
    }
    return false;
}

static int read_row(const char *header, const char *row, int64_t *ret_sessions, struct buf *why)
{
    size_t name_column = 0;
    size_t sessions_column = 0;
    size_t name_len = 0;
    size_t len = 0;
    if (!header_find(header, "svname", &name_column) || !header_find(header, "scur", &sessions_column)) {
        buf_puts(why, "`show stat` has no columns svname and scur");
        return SLOTD_E_PARSE;
    }
    const char *name = line_find_field(row, name_column, &name_len);
    const char *sessions = line_find_field(row, sessions_column, &len);
    cleanup_free char *number = mem_strndup(sessions, len);
    bool is_backend = name_len == strlen("BACKEND") && strncmp(name, "BACKEND", name_len) == 0;
    if (!is_backend || text_parse_int(number, 0, UINT32_MAX, ret_sessions)) {
        buf_puts(why, "`show stat` has no row of a backend with a number of sessions");
        return SLOTD_E_PARSE;
    }
    return 0;
}

int haproxy_backend_parse(const char *text, size_t len, int64_t *ret_sessions, struct buf *why)
{
    cleanup_free char *copy = mem_strndup(text, len);
    char *rest = copy;
    const char *header = strsep(&rest, "\n");
    const char *row = rest ? strsep(&rest, "\n") : "";
    if (strncmp(header, "# ", 2) != 0) {
        buf_printf(why, "`show stat` answered: %.100s", header);
        return SLOTD_E_REFUSED;
    }
    return read_row(header, row, ret_sessions, why);
}
