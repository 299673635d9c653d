/* SPDX-License-Identifier: MIT */
/* Preloaded, it is a slow disk for one process alone: each fsync() takes DISK_SHIM_MS longer. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fsync(int fd)
{
    const char *text = getenv("DISK_SHIM_MS");
    long ms = text ? strtol(text, NULL, 10) : 0;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
    return (int)syscall(SYS_fsync, fd);
}
