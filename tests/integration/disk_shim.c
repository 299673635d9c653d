/* SPDX-License-Identifier: MIT */
/* Preloaded, it is a slow disk for one process alone: fsync() ends once the file that DISK_SHIM_HOLD names is gone. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fsync(int fd)
{
    const struct timespec pause = {.tv_nsec = 10000000L};
    const char *hold = getenv("DISK_SHIM_HOLD");
    while (hold && access(hold, F_OK) == 0) {
        (void)nanosleep(&pause, NULL);
    }
    return (int)syscall(SYS_fsync, fd);
}
