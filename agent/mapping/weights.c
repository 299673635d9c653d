/* SPDX-License-Identifier: MIT */
/* Labelled weights to HAProxy's 0..256. */
#include <string.h>

#include "mapping_private.h"

#define HAPROXY_MAX_WEIGHT 256

void weights_scale(const int32_t *weights, size_t count, uint16_t *ret_scaled)
{
    int64_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        largest = weights[i] > largest ? weights[i] : largest;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t weight = weights[i] > 0 ? weights[i] : 0;
        if (largest == 0) {
            weight = 1;
        } else if (largest > HAPROXY_MAX_WEIGHT && weight > 0) {
            weight = weight * HAPROXY_MAX_WEIGHT / largest;
            weight = weight > 0 ? weight : 1;
        }
        ret_scaled[i] = (uint16_t)weight;
    }
}
