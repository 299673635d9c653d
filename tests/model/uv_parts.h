/* SPDX-License-Identifier: MIT */
/* The parts of the simulated libuv, and what they know of one another. */
#ifndef SLOTD_TESTS_MODEL_UV_PARTS_H
#define SLOTD_TESTS_MODEL_UV_PARTS_H

#include "model.h"

#define FLAG_ACTIVE 1u
#define FLAG_CLOSING 2u

extern struct chance uv_lags;

/* slotd closes its end. */
void stream_close(const uv_stream_t *stream);
/* Tells slotd's callbacks what is written. */
void stream_tell_written(void);
void wires_reset(void);
/* Ends a job and a look-up, as the end of the loop does; false when there is none. */
bool jobs_end_one(void);

#endif
