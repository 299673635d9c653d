/* SPDX-License-Identifier: MIT */
/* How much of a service may drain because Marathon's health checks say alive=false (mapping.drain_unhealthy). */
#include "mapping_private.h"

bool health_may_drain(const struct service_health *health, int max_removal_percent)
{
    return health->failing * 100 <= health->serving * (size_t)max_removal_percent;
}
