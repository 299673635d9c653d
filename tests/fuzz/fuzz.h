/* SPDX-License-Identifier: MIT */
/* What every fuzz target defines. The input belongs to the caller; the answer is 0. */
#ifndef SLOTD_TESTS_FUZZ_H
#define SLOTD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
