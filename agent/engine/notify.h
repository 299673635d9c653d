/* SPDX-License-Identifier: MIT */
/* What the service manager is told (sd_notify(3)); nothing happens when none has started us. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a service manager listens at all. */
bool notify_is_wanted(void);
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* One line for `systemctl status`. */
void notify_status(const char *text);
/* How often it wants a sign of life, in milliseconds; 0: never. */
uint64_t notify_watchdog_ms(void);
void notify_alive(void);

#endif
