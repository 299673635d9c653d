/* SPDX-License-Identifier: MIT */
/* Immutable data that one thread replaces while others read it, without a lock. A reader looks between enter and leave;
 * what was replaced is released once no reader can still look at it. */
#ifndef SLOTD_EPOCH_H
#define SLOTD_EPOCH_H

#include <stddef.h>

struct epoch;

/* For that many readers, numbered from 0; each number is used by one thread at a time. release is called for data that
 * nobody reads any more, by the thread that publishes. */
struct epoch *epoch_new(unsigned readers, void (*release)(void *data));
/* Releases what is published and what waits; no reader may be inside. NULL is allowed. */
void epoch_free(struct epoch *epoch);

/* By a reader: what epoch_data() gives stays valid until the leave. A reader that is outside holds nothing back. */
void epoch_enter(struct epoch *epoch, unsigned reader);
void epoch_leave(struct epoch *epoch, unsigned reader);
/* What is published last, or NULL before the first time. */
const void *epoch_data(const struct epoch *epoch);

/* By the one thread that publishes: takes data over, replaces the last one, and releases what it can. */
void epoch_publish(struct epoch *epoch, void *data);
/* Releases what it can; returns how many still wait for a reader. */
size_t epoch_reclaim(struct epoch *epoch);

#endif
