/* SPDX-License-Identifier: MIT */
/* `show servers state`: read by its header's names, written again in the same form as the server-state file. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "slotd/error.h"
#include "slotd/haproxy.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define STATE_MAX_COLUMNS 64
#define STATE_CHECK_CONFIGURED 0x02 /* CHK_ST_CONFIGURED of srv_check_state and srv_agent_state */
#define STATE_CHECK_ENABLED 0x04    /* CHK_ST_ENABLED; `disable health` ends it, on 2.4 to 3.4 */

/* Columns that we read or write; the others are carried along as they are. */
enum column {
    COLUMN_BACKEND,
    COLUMN_NAME,
    COLUMN_ADDRESS,
    COLUMN_OP_STATE,
    COLUMN_ADMIN,
    COLUMN_WEIGHT,
    COLUMN_CONFIGURED,
    COLUMN_CHECK_STATE,
    COLUMN_AGENT_STATE,
    COLUMN_FQDN,
    COLUMN_PORT,
    COLUMN_CHECK_PORT,
    N_NEEDED_COLUMNS,
    COLUMN_ID = N_NEEDED_COLUMNS, /* without these two no server counts as added by us */
    COLUMN_FORCED_ID,
    N_COLUMNS
};
static const char *const column_names[N_COLUMNS] = {
    [COLUMN_BACKEND] = "be_name",
    [COLUMN_ID] = "srv_id",
    [COLUMN_NAME] = "srv_name",
    [COLUMN_ADDRESS] = "srv_addr",
    [COLUMN_OP_STATE] = "srv_op_state",
    [COLUMN_ADMIN] = "srv_admin_state",
    [COLUMN_WEIGHT] = "srv_uweight",
    [COLUMN_CONFIGURED] = "srv_iweight",
    [COLUMN_CHECK_STATE] = "srv_check_state",
    [COLUMN_AGENT_STATE] = "srv_agent_state",
    [COLUMN_FORCED_ID] = "srv_f_forced_id",
    [COLUMN_FQDN] = "srv_fqdn",
    [COLUMN_PORT] = "srv_port",
    [COLUMN_CHECK_PORT] = "srv_check_port",
};

struct state_reader {
    struct haproxy_state *state;
    size_t capacity;
    size_t place[N_COLUMNS];
    struct buf *why;
    size_t line_number;
};

/* Cuts a writable line at blanks into at most STATE_MAX_COLUMNS words. */
static size_t split_words(char *line, const char **words)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word && count < STATE_MAX_COLUMNS;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    return count;
}

static int read_header(struct state_reader *reader, char *line)
{
    const char *words[STATE_MAX_COLUMNS];
    size_t count = split_words(line + 1, words);
    struct haproxy_state *state = reader->state;
    state->header = mem_alloc_array(count, sizeof(char *));
    state->n_columns = count;
    for (size_t i = 0; i < count; i++) {
        state->header[i] = mem_strdup(words[i]);
    }
    for (size_t c = 0; c < N_COLUMNS; c++) {
        size_t i = 0;
        while (i < count && strcmp(words[i], column_names[c]) != 0) {
            i++;
        }
        if (i == count && c < N_NEEDED_COLUMNS) {
            buf_printf(reader->why, "`show servers state` has no column %s", column_names[c]);
            return SLOTD_E_PARSE;
        }
        reader->place[c] = i;
    }
    return 0;
}

static int read_number(const struct state_reader *reader, const struct haproxy_server *server, enum column column,
                       int64_t max, unsigned *ret_number)
{
    int64_t number = 0;
    const char *text = server->columns[reader->place[column]];
    if (text_parse_int(text, 0, max, &number)) {
        buf_printf(reader->why, "`show servers state`, line %zu: %s is no number up to %lld", reader->line_number,
                   column_names[column], (long long)max);
        return SLOTD_E_PARSE;
    }
    *ret_number = (unsigned)number;
    return 0;
}

/* A server without an IP address (a name that did not resolve, a unix socket) shows "-" or a path. */
static void read_address(const char *text, char address[SLOTS_MAX_ADDRESS])
{
    unsigned char bytes[sizeof(struct in6_addr)];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    address[0] = '\0';
    if (inet_pton(family, text, bytes) == 1) {
        (void)inet_ntop(family, bytes, address, SLOTS_MAX_ADDRESS);
    }
}

/* A name and an id that were both chosen, by a rule that no configuration follows by chance. */
static int read_added(const struct state_reader *reader, const struct haproxy_server *server, bool *ret_added)
{
    unsigned number = slots_find_added(server->name);
    unsigned id = 0;
    unsigned forced_id = 0;
    size_t n_columns = reader->state->n_columns;
    if (number == 0 || reader->place[COLUMN_ID] == n_columns || reader->place[COLUMN_FORCED_ID] == n_columns) {
        return 0;
    }
    int err = read_number(reader, server, COLUMN_ID, INT32_MAX, &id);
    err = err ? err : read_number(reader, server, COLUMN_FORCED_ID, 255, &forced_id);
    *ret_added = !err && forced_id == 1 && id == SLOTS_FIRST_ADDED_ID + number;
    return err;
}

/* The one mark that tells our slots from servers that belong to somebody else: `disabled` in the configuration, and a
 * name that can never resolve (RFC 6761) in the place of an address. */
static bool is_slot(unsigned admin, const char *fqdn)
{
    static const char suffix[] = ".invalid";
    size_t len = strlen(fqdn);
    size_t suffix_len = sizeof(suffix) - 1;
    return (admin & SLOT_ADMIN_CMAINT) && len > suffix_len && strcasecmp(fqdn + len - suffix_len, suffix) == 0;
}

static int read_observed(const struct state_reader *reader, struct haproxy_server *server)
{
    struct slot_observed *observed = &server->observed;
    unsigned port = 0;
    unsigned weight = 0;
    unsigned configured = 0;
    unsigned check_state = 0;
    unsigned agent_state = 0;
    unsigned check_port = 0;
    int err = read_number(reader, server, COLUMN_OP_STATE, 255, &observed->op_state);
    err = err ? err : read_number(reader, server, COLUMN_ADMIN, 255, &observed->admin);
    err = err ? err : read_number(reader, server, COLUMN_WEIGHT, 256, &weight);
    err = err ? err : read_number(reader, server, COLUMN_CONFIGURED, 256, &configured);
    err = err ? err : read_number(reader, server, COLUMN_CHECK_STATE, 65535, &check_state);
    err = err ? err : read_number(reader, server, COLUMN_AGENT_STATE, 65535, &agent_state);
    err = err ? err : read_number(reader, server, COLUMN_PORT, 65535, &port);
    err = err ? err : read_number(reader, server, COLUMN_CHECK_PORT, 65535, &check_port);
    err = err ? err : read_added(reader, server, &observed->added);
    if (err) {
        return err;
    }
    observed->server = server->name;
    read_address(server->columns[reader->place[COLUMN_ADDRESS]], observed->address);
    observed->weight = (uint16_t)weight;
    observed->configured = (uint16_t)configured;
    observed->port = (uint16_t)port;
    observed->check_port = (uint16_t)check_port;
    observed->checked = (check_state & STATE_CHECK_CONFIGURED) != 0;
    observed->has_agent = (agent_state & STATE_CHECK_CONFIGURED) != 0;
    observed->check_off = observed->checked && (check_state & STATE_CHECK_ENABLED) == 0;
    server->is_slot = observed->added || is_slot(observed->admin, server->columns[reader->place[COLUMN_FQDN]]);
    return 0;
}

/* One allocation holds the row: the pointers, then the text they point into. */
static int read_row(struct state_reader *reader, char *line)
{
    struct haproxy_state *state = reader->state;
    size_t pointers = state->n_columns * sizeof(char *);
    size_t len = strlen(line);
    char *block = mem_alloc(pointers + len + 1);
    const char *words[STATE_MAX_COLUMNS];
    memcpy(block + pointers, line, len + 1);
    size_t count = split_words(block + pointers, words);
    MEM_GROW(state->servers, reader->capacity, state->count + 1);
    struct haproxy_server *server = &state->servers[state->count++];
    *server = (struct haproxy_server){.columns = (const char **)(void *)block};
    if (count != state->n_columns) {
        buf_printf(reader->why, "`show servers state`, line %zu: %zu columns expected, %zu found", reader->line_number,
                   state->n_columns, count);
        return SLOTD_E_PARSE;
    }
    memcpy(block, words, pointers);
    server->backend = mem_strdup(server->columns[reader->place[COLUMN_BACKEND]]);
    server->name = mem_strdup(server->columns[reader->place[COLUMN_NAME]]);
    return read_observed(reader, server);
}

static int read_line(struct state_reader *reader, char *line)
{
    reader->line_number++;
    if (reader->line_number == 1) {
        if (strcmp(line, "1") != 0) {
            buf_printf(reader->why, "`show servers state` answered: %.100s", line);
            return SLOTD_E_REFUSED;
        }
        return 0;
    }
    if (line[0] == '\0') {
        return 0;
    }
    if (!reader->state->header) {
        if (line[0] == '#') {
            return read_header(reader, line);
        }
        buf_puts(reader->why, "`show servers state` has no header");
        return SLOTD_E_PARSE;
    }
    return read_row(reader, line);
}

static int compare_servers(const void *a, const void *b)
{
    const struct haproxy_server *left = a;
    const struct haproxy_server *right = b;
    int order = strcmp(left->backend, right->backend);
    if (order != 0) {
        return order;
    }
    /* Rows keep HAProxy's order within a backend: qsort is not stable, so the order printed decides. */
    return left->printed < right->printed ? -1 : left->printed > right->printed;
}

int haproxy_state_parse(const char *text, size_t len, struct haproxy_state **ret_state, struct buf *why)
{
    struct haproxy_state *state = MEM_NEW(struct haproxy_state);
    struct state_reader reader = {.state = state, .why = why};
    cleanup_free char *copy = mem_strndup(text, len);
    char *rest = copy;
    char *line;
    int err = 0;
    while (!err && (line = strsep(&rest, "\n"))) {
        err = read_line(&reader, line);
    }
    if (!err && !state->header) {
        buf_puts(why, "`show servers state` has no header");
        err = SLOTD_E_PARSE;
    }
    if (err) {
        haproxy_state_free(state);
        return err;
    }
    for (size_t i = 0; i < state->count; i++) {
        state->servers[i].printed = i;
    }
    if (state->count > 1) {
        qsort(state->servers, state->count, sizeof(*state->servers), compare_servers);
    }
    *ret_state = state;
    return 0;
}

void haproxy_state_free(struct haproxy_state *state)
{
    if (!state) {
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        free(state->servers[i].backend);
        free(state->servers[i].name);
        free(state->servers[i].columns);
    }
    for (size_t i = 0; state->header && i < state->n_columns; i++) {
        free(state->header[i]);
    }
    free(state->header);
    free(state->servers);
    free(state);
}

/* ---- writing ---- */

void haproxy_state_write_header(const struct haproxy_state *state, struct buf *content)
{
    buf_puts(content, "1\n#");
    for (size_t i = 0; i < state->n_columns; i++) {
        buf_putc(content, ' ');
        buf_puts(content, state->header[i]);
    }
    buf_putc(content, '\n');
}

/* Appends the column's value: by what was applied since the row was read, else as it was read. */
static void write_column(const char *column, const char *as_read, const struct slot_observed *observed,
                         struct buf *content)
{
    const struct {
        enum column column;
        unsigned value;
    } applied[] = {
        {COLUMN_OP_STATE, observed->op_state},     {COLUMN_ADMIN, observed->admin},
        {COLUMN_WEIGHT, observed->weight},         {COLUMN_PORT, observed->port},
        {COLUMN_CHECK_PORT, observed->check_port},
    };
    if (strcmp(column, column_names[COLUMN_ADDRESS]) == 0 && observed->address[0]) {
        buf_puts(content, observed->address);
        return;
    }
    for (size_t i = 0; i < sizeof(applied) / sizeof(applied[0]); i++) {
        if (strcmp(column, column_names[applied[i].column]) == 0) {
            buf_printf(content, "%u", applied[i].value);
            return;
        }
    }
    buf_puts(content, as_read);
}

void haproxy_state_write_row(const struct haproxy_state *state, const struct haproxy_server *server,
                             const struct slot_observed *observed, struct buf *content)
{
    for (size_t i = 0; i < state->n_columns; i++) {
        if (i > 0) {
            buf_putc(content, ' ');
        }
        write_column(state->header[i], server->columns[i], observed, content);
    }
    buf_putc(content, '\n');
}
