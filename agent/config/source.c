/* SPDX-License-Identifier: MIT */
/* Reads configuration files, puts included ones in their place and keeps count of lines. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"
#include "syntax.h"

static void config_source_add_text(struct config_source *source, size_t file, const struct buf *text, unsigned depth);

void config_source_init(struct config_source *source, struct buf *why)
{
    *source = (struct config_source){.line = 1, .why = why};
}

void config_source_free(struct config_source *source)
{
    for (size_t i = 0; i < source->n_files; i++) {
        free(source->files[i]);
    }
    free(source->files);
    free(source->parts);
    buf_free(&source->text);
}

/* The part that holds a line of the whole text. */
static const struct config_source_part *config_source_find_part(const struct config_source *source, unsigned line)
{
    size_t i = source->n_parts - 1;
    while (i > 0 && source->parts[i].first_line > line) {
        i--;
    }
    return &source->parts[i];
}

unsigned config_source_file_line(const struct config_source *source, unsigned line)
{
    const struct config_source_part *part = config_source_find_part(source, line);
    return part->file_line + (line > part->first_line ? line - part->first_line : 0);
}

void config_source_report(struct config_source *source, unsigned line, const char *format, ...)
{
    const char *file = source->files[config_source_find_part(source, line)->file];
    if (++source->n_findings > CONFIG_MAX_FINDINGS) {
        return;
    }
    buf_printf(source->why, "%s:%u: ", file, config_source_file_line(source, line));
    if (source->n_findings == CONFIG_MAX_FINDINGS) {
        buf_puts(source->why, "there is more that is wrong; correct the lines above first\n");
        return;
    }
    va_list args;
    va_start(args, format);
    buf_vprintf(source->why, format, args);
    va_end(args);
    buf_puts(source->why, "\n");
}

/* Appends the file's content to ret_text. Returns 0, SLOTD_E_LIMIT when there are more than max bytes, or -errno. */
static int config_source_read_bytes(const char *path, size_t max, struct buf *ret_text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    int err = 0;
    ssize_t got;
    do {
        got = read(fd, buf_reserve(ret_text, 65536), 65536);
        if (got > 0) {
            buf_commit(ret_text, (size_t)got);
        } else if (got < 0 && errno != EINTR) {
            err = -errno;
        }
        if (ret_text->len > max) {
            err = SLOTD_E_LIMIT;
        }
    } while (err == 0 && got != 0);
    (void)close(fd);
    return err;
}

static size_t config_source_add_file(struct config_source *source, const char *path)
{
    MEM_GROW(source->files, source->files_capacity, source->n_files + 1);
    source->files[source->n_files] = mem_strdup(path);
    return source->n_files++;
}

static void config_source_begin_part(struct config_source *source, size_t file, unsigned file_line)
{
    MEM_GROW(source->parts, source->parts_capacity, source->n_parts + 1);
    source->parts[source->n_parts++] = (struct config_source_part){source->line, file, file_line};
}

static unsigned config_source_count_lines(const char *text, size_t len)
{
    unsigned count = 0;
    for (size_t i = 0; i < len; i++) {
        count += text[i] == '\n';
    }
    return count;
}

/* The path that an @include names, as written between its quotes; relative ones start at the folder of the including
 * file. */
static char *config_source_resolve(const char *including, const struct config_token *token)
{
    cleanup_buf struct buf path = BUF_INIT;
    const char *name = memchr(token->text, '"', token->len);
    const char *end = token->text + token->len - 1;
    name++;
    const char *slash = strrchr(including, '/');
    if (*name != '/' && slash) {
        buf_append(&path, including, (size_t)(slash + 1 - including));
    }
    for (; name < end; name++) {
        if (*name == '\\' && name + 1 < end && (name[1] == '\\' || name[1] == '"')) {
            name++;
        }
        buf_putc(&path, *name);
    }
    return buf_steal(&path);
}

static void config_source_include(struct config_source *source, size_t file, const struct config_token *token,
                                  unsigned depth)
{
    cleanup_free char *path = config_source_resolve(source->files[file], token);
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_buf struct buf shown = BUF_INIT;
    text_append_safe(&shown, path, strlen(path), 256);
    if (depth == CONFIG_MAX_INCLUDE_DEPTH) {
        config_source_report(source, source->line, "%s is not included: files include each other deeper than %d levels",
                             buf_text(&shown), CONFIG_MAX_INCLUDE_DEPTH);
        source->stopped = true;
        return;
    }
    int err = config_source_read_bytes(path, CONFIG_MAX_BYTES - source->bytes_read, &text);
    if (err == SLOTD_E_LIMIT) {
        config_source_report(source, source->line, "with %s the configuration is larger than %d bytes",
                             buf_text(&shown), CONFIG_MAX_BYTES);
        source->stopped = true;
    } else if (err < 0) {
        config_source_report(source, source->line, "%s is included and cannot be read: %s", buf_text(&shown),
                             error_text(err));
    } else {
        config_source_add_text(source, config_source_add_file(source, path), &text, depth + 1);
    }
}

static void config_source_check_bytes(struct config_source *source, const struct config_token *token)
{
    unsigned line = source->line;
    for (size_t i = 0; i < token->len; i++) {
        unsigned char c = (unsigned char)token->text[i];
        if ((c < 0x20 && !(c == '\t' || c == '\n' || c == '\r' || c == '\f')) || c == 0x7f) {
            config_source_report(source, line, "byte 0x%02x is not allowed; a configuration is plain text", c);
            source->stopped = true;
            return;
        }
        line += c == '\n';
    }
}

static void config_source_add_text(struct config_source *source, size_t file, const struct buf *text, unsigned depth)
{
    size_t position = 0;
    unsigned file_line = 1;
    struct config_token token;
    source->bytes_read += text->len;
    config_source_begin_part(source, file, file_line);
    while (!source->stopped && config_token_next(text->data, text->len, &position, &token)) {
        config_source_check_bytes(source, &token);
        config_syntax_check(source, &token);
        unsigned lines = config_source_count_lines(token.text, token.len);
        file_line += lines;
        if (token.kind == CONFIG_TOKEN_INCLUDE) {
            config_source_include(source, file, &token, depth);
            config_source_begin_part(source, file, file_line);
        } else {
            buf_append(&source->text, token.text, token.len);
            source->line += lines;
        }
    }
    /* libconfig reads a comment only up to a line end, and the text of an including file goes on in a new line. */
    buf_putc(&source->text, '\n');
    source->line++;
}

int config_source_read(struct config_source *source, const char *path)
{
    cleanup_buf struct buf text = BUF_INIT;
    int err = config_source_read_bytes(path, CONFIG_MAX_BYTES, &text);
    if (err < 0 && err != SLOTD_E_LIMIT) {
        buf_printf(source->why, "%s: cannot be read: %s\n", path, error_text(err));
        return err;
    }
    size_t file = config_source_add_file(source, path);
    if (err == SLOTD_E_LIMIT) {
        config_source_begin_part(source, file, 1);
        config_source_report(source, 1, "the configuration is larger than %d bytes", CONFIG_MAX_BYTES);
        return 0;
    }
    config_source_add_text(source, file, &text, 0);
    if (!source->stopped) {
        config_syntax_finish(source);
    }
    return 0;
}
