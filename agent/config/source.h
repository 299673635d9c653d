/* SPDX-License-Identifier: MIT */
/* The text of a configuration with its included files in place, where each line came from, and what was found wrong in
 * it. libconfig is given text only: its own @include ends the program when it meets a folder. Internal to config/. */
#ifndef SLOTD_CONFIG_SOURCE_H
#define SLOTD_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "slotd/buf.h"

enum {
    CONFIG_MAX_BYTES = 1048576,
    CONFIG_MAX_INCLUDE_DEPTH = 8,
    CONFIG_MAX_NESTING = 16,
    CONFIG_MAX_FINDINGS = 100,
    CONFIG_MAX_KEYS = 4096
};

/* Consecutive lines of one file. */
struct config_source_part {
    unsigned first_line; /* in the whole text */
    size_t file;         /* index into files */
    unsigned file_line;  /* of first_line, in that file */
};

struct config_source {
    struct buf text;
    unsigned line; /* of the whole text, where the next byte goes; from 1 */
    struct config_source_part *parts;
    size_t n_parts, parts_capacity;
    char **files;
    size_t n_files, files_capacity;
    size_t bytes_read;
    struct {
        char sign;
        unsigned line;
    } open[CONFIG_MAX_NESTING]; /* brackets that are not closed yet */
    size_t n_open;
    size_t n_keys;
    bool brackets_broken; /* said once: what follows would be guesswork */
    bool stopped;         /* reading on makes no sense */
    struct buf *why;
    size_t n_findings;
};

/* why may be NULL; it is borrowed. */
void config_source_init(struct config_source *source, struct buf *why);
void config_source_free(struct config_source *source);
/* Reads the file and all that it includes. Returns 0, also when findings were reported, or -errno with its line in why
 * when the file itself cannot be read. */
int config_source_read(struct config_source *source, const char *path);
/* Reports a finding at a line of the whole text. */
void config_source_report(struct config_source *source, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The line within its file of a line of the whole text. */
unsigned config_source_file_line(const struct config_source *source, unsigned line);

#endif
