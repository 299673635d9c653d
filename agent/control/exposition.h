/* SPDX-License-Identifier: MIT */
/* Prometheus' text format 0.0.4, written family by family. There are whole numbers and durations, nothing else: no
 * value can be infinite, or no number. */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include <stdint.h>

#include "slotd/buf.h"
#include "slotd/histogram.h"

#define EXPOSITION_MAX_VALUE 256 /* bytes of a label's value; what is longer is cut */

enum exposition_type { EXPOSITION_GAUGE, EXPOSITION_COUNTER, EXPOSITION_HISTOGRAM };

/* Names and values of labels in turn. */
#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_LABELS ((const char *const[]){NULL})

/* Once for each family, before its samples. help: one line without backslashes. */
void exposition_begin(struct buf *text, const char *family, enum exposition_type type, const char *help);
/* Values of labels are escaped, and made printable UTF-8; names are taken as they are. */
void exposition_add(struct buf *text, const char *family, const char *const *labels, uint64_t value);
void exposition_add_seconds(struct buf *text, const char *family, const char *const *labels, uint64_t value_ns);
void exposition_add_histogram(struct buf *text, const char *family, const char *const *labels,
                              const struct histogram *histogram);

#endif
