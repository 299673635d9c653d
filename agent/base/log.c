/* SPDX-License-Identifier: MIT */
/* Log lines on stderr: text for people, text with a priority for the journal, or JSON lines. */
#include "slotd/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "slotd/buf.h"
#include "slotd/text.h"

enum { LOG_MAX_MESSAGE = 4096 };

static const struct {
    const char *name;
    int priority; /* of syslog(3) */
} log_levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3}, [LOG_LEVEL_WARNING] = {"warning", 4}, [LOG_LEVEL_NOTICE] = {"notice", 5},
    [LOG_LEVEL_INFO] = {"info", 6},   [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static struct {
    enum log_format format;
    enum log_level level;
    bool journal;
    size_t lost; /* lines, since the last that was written */
    log_hook *hook;
    void *hook_arg;
} log_state = {.format = LOG_FORMAT_TEXT, .level = LOG_LEVEL_INFO};

/* The journal tells its stream's device and inode; stderr may have been redirected since, so the variable alone says
 * nothing. */
static bool log_reads_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    if (!stream || fstat(STDERR_FILENO, &info) < 0) {
        return false;
    }
    unsigned long long device;
    unsigned long long inode;
    int end = 0;
    if (sscanf(stream, "%llu:%llu%n", &device, &inode, &end) != 2 || stream[end] != '\0') {
        return false;
    }
    return device == info.st_dev && inode == info.st_ino;
}

void log_open(enum log_format format, enum log_level level)
{
    log_state.format = format;
    log_state.level = level;
    log_state.journal = log_reads_journal();
}

void log_set_hook(log_hook *hook, void *arg)
{
    log_state.hook = hook;
    log_state.hook_arg = arg;
}

bool log_enabled(enum log_level level)
{
    return level <= log_state.level;
}

static void log_append_now(struct buf *line)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    char text[32];
    text_format_time((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, text);
    buf_puts(line, text);
}

/* text is safe already: only quotes and backslashes are left that JSON needs escaped. */
static void log_append_json_string(struct buf *line, const char *text)
{
    buf_putc(line, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') {
            buf_putc(line, '\\');
        }
        buf_putc(line, *c);
    }
    buf_putc(line, '"');
}

static void log_append_json(struct buf *line, enum log_level level, const char *subsystem, const char *message)
{
    buf_puts(line, "{\"time\":\"");
    log_append_now(line);
    buf_printf(line, "\",\"level\":\"%s\",\"subsystem\":", log_levels[level].name);
    log_append_json_string(line, subsystem);
    buf_puts(line, ",\"message\":");
    log_append_json_string(line, message);
    buf_puts(line, "}\n");
}

static void log_append_text(struct buf *line, enum log_level level, const char *subsystem, const char *message)
{
    if (log_state.journal) {
        buf_printf(line, "<%d>", log_levels[level].priority);
    } else {
        log_append_now(line);
        buf_printf(line, " %s ", log_levels[level].name);
    }
    buf_printf(line, "%s: %s\n", subsystem, message);
}

/* Whether a part of at most PIPE_BUF bytes can be written without waiting for a reader. */
static bool log_has_room(void)
{
    struct pollfd target = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&target, 1, 0) > 0 && (target.revents & POLLOUT);
}

/* A log that cannot be written is no reason to stop or to wait. Returns whether all of the line is written. */
static bool log_put_line(const struct buf *line)
{
    size_t done = 0;
    while (done < line->len && log_has_room()) {
        size_t part = line->len - done < PIPE_BUF ? line->len - done : PIPE_BUF;
        ssize_t written = write(STDERR_FILENO, line->data + done, part);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return done == line->len;
}

static bool log_put(enum log_level level, const char *subsystem, const char *message)
{
    cleanup_buf struct buf line = BUF_INIT;
    if (log_state.format == LOG_FORMAT_JSON) {
        log_append_json(&line, level, subsystem, message);
    } else {
        log_append_text(&line, level, subsystem, message);
    }
    return log_put_line(&line);
}

static void log_emit(enum log_level level, const char *subsystem, const char *message)
{
    if (log_state.hook) {
        log_state.hook(log_state.hook_arg, level, subsystem, message);
        return;
    }
    if (log_state.lost > 0 && log_has_room()) {
        char text[96];
        snprintf(
            text, sizeof(text), "%zu %s reader was too slow", log_state.lost,
            text_plural(log_state.lost, "line before this one is lost: its", "lines before this one are lost: their"));
        log_state.lost = 0;
        (void)log_put(LOG_LEVEL_WARNING, "log", text);
    }
    if (!log_put(level, subsystem, message)) {
        log_state.lost++;
    }
}

void log_write(enum log_level level, const char *subsystem, const char *format, ...)
{
    if (!log_enabled(level)) {
        return;
    }
    int saved_errno = errno;
    cleanup_buf struct buf raw = BUF_INIT;
    cleanup_buf struct buf message = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&raw, format, args);
    va_end(args);
    text_append_safe(&message, buf_text(&raw), raw.len, LOG_MAX_MESSAGE);
    log_emit(level, subsystem, buf_text(&message));
    errno = saved_errno;
}
