/* SPDX-License-Identifier: MIT */
/* Log lines on stderr, as text (with the journal's priority prefix when it reads us) or as JSON lines. Main thread
 * only. */
#ifndef SLOTD_LOG_H
#define SLOTD_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Called for each line instead of writing it; for tests. */
typedef void log_hook(void *arg, enum log_level level, const char *subsystem, const char *text);

/* Lines above level are dropped. Until called: text, LOG_LEVEL_INFO. */
void log_open(enum log_format format, enum log_level level);
void log_set_hook(log_hook *hook, void *arg);
bool log_enabled(enum log_level level);
/* One line, a plain sentence. Bytes that are no printable text are escaped, so foreign text is safe in it. */
void log_write(enum log_level level, const char *subsystem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(subsystem, ...) log_write(LOG_LEVEL_ERROR, subsystem, __VA_ARGS__)
#define log_warning(subsystem, ...) log_write(LOG_LEVEL_WARNING, subsystem, __VA_ARGS__)
#define log_notice(subsystem, ...) log_write(LOG_LEVEL_NOTICE, subsystem, __VA_ARGS__)
#define log_info(subsystem, ...) log_write(LOG_LEVEL_INFO, subsystem, __VA_ARGS__)
#define log_debug(subsystem, ...) log_write(LOG_LEVEL_DEBUG, subsystem, __VA_ARGS__)

#endif
