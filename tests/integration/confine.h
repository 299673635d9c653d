/* SPDX-License-Identifier: MIT */
/* Runs a program under the restrictions of a systemd unit, where no systemd runs. They are read from the unit itself,
 * so that what is tested is what is installed; a directive that is not known here is an error. */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONFINE_MAX_WORDS 64

/* One place that is seen at another one inside. */
struct confine_view {
    const char *from, *to;
    int tree; /* file descriptor of the detached mount */
    bool writable;
};

/* The unit's values; NULL or false: it does not say so. */
struct confine {
    uid_t uid;
    gid_t gid;
    gid_t groups[CONFINE_MAX_WORDS];
    size_t n_groups;
    const char *root; /* the folder that holds what RuntimeDirectory and StateDirectory make */
    char *sets;       /* the output of `systemd-analyze syscall-filter`; NULL: no SystemCallFilter */
    struct confine_view views[CONFINE_MAX_WORDS];
    size_t n_views;

    char *runtime_directory, *runtime_mode, *state_directory, *state_mode;
    char *umask, *limit_core, *limit_nofile;
    char *bounding_set, *ambient;
    char *protect_system, *protect_proc, *proc_subset;
    char *families, *architectures, *errno_name;
    char *filters[CONFINE_MAX_WORDS]; /* each SystemCallFilter line */
    size_t n_filters;
    bool no_new_privileges, protect_home, private_tmp, private_devices, private_ipc, protect_hostname, protect_clock;
    bool protect_tunables, protect_modules, protect_logs, protect_cgroups, restrict_namespaces, restrict_realtime;
    bool restrict_suid, lock_personality, deny_write_execute;
};

/* Says what failed, with errno's text when it is not 0, and ends the program with code. */
__attribute__((format(printf, 2, 3), noreturn)) void confine_die(int code, const char *format, ...);
enum { CONFINE_FAILED = 1, CONFINE_USAGE = 2, CONFINE_REFUSED = 77 };

/* The directives of the unit's [Service] section. */
void confine_read_unit(struct confine *confine, const char *path);
/* The file system as the unit wants it; needs root. */
void confine_mount(struct confine *confine);
/* The filters of system calls; the last thing before the program starts. */
void confine_filter(const struct confine *confine);

#endif
