/* SPDX-License-Identifier: MIT */
/* What the kernel says of this process. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "slotd/metrics.h"

#define NS_PER_S UINT64_C(1000000000)

static uint64_t timeval_ns(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * 1000;
}

/* proc(5), /proc/PID/statm: pages in all and in memory. */
static void measure_memory(struct process_metrics *metrics)
{
    unsigned long long pages = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%llu %llu", &pages, &resident) == 2) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        metrics->virtual_bytes = pages * page;
        metrics->resident_bytes = resident * page;
    }
    if (file) {
        (void)fclose(file);
    }
}

static uint64_t count_open_files(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        closedir(folder);
    }
    /* Without `.`, `..` and the folder's own. */
    return count > 3 ? count - 3 : 0;
}

void process_measure(struct process_metrics *ret_metrics)
{
    struct process_metrics metrics = {.open_fds = count_open_files()};
    struct rusage usage;
    struct rlimit files;
    measure_memory(&metrics);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metrics.cpu_ns = timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        metrics.max_fds = files.rlim_cur;
    }
    *ret_metrics = metrics;
}
