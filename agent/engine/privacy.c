/* SPDX-License-Identifier: MIT */
/* Keeps the process's memory to itself. */
#include "privacy.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* The limit alone does not bind a core_pattern that is a pipe. */
int privacy_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0) {
        return -errno;
    }
    return 0;
}
