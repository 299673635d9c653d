/* SPDX-License-Identifier: MIT */
/* The filters of system calls that systemd makes of a unit, made with libseccomp. Each group of directives is a filter
 * of its own; the kernel takes the strictest answer. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "confine.h"

enum { MAX_CALLS = 1024, MAX_NAME = 64, MAX_FAMILY = 64, MAX_DEPTH = 8 };

/* ---- sets of calls: `systemd-analyze syscall-filter` prints each as "@name", and below it lines that are indented
 * ---- */

struct calls {
    char names[MAX_CALLS][MAX_NAME];
    size_t count;
};

static void calls_add(struct calls *calls, const char *name)
{
    size_t len = strlen(name);
    if (calls->count == MAX_CALLS || len >= MAX_NAME) {
        confine_die(CONFINE_FAILED, "too many system calls, or one with too long a name: %s", name);
    }
    memcpy(calls->names[calls->count++], name, len + 1);
}

static void calls_remove(struct calls *calls, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < calls->count; i++) {
        if (strcmp(calls->names[i], name) != 0) {
            memmove(calls->names[kept++], calls->names[i], MAX_NAME);
        }
    }
    calls->count = kept;
}

static char *trimmed(char *line)
{
    size_t len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1])) {
        line[--len] = '\0';
    }
    return line + strspn(line, " ");
}

/* Adds a call, or all calls of a set. */
static void calls_expand(struct calls *calls, char *sets, const char *name, unsigned depth)
{
    char line[256];
    bool inside = false;
    bool found = false;
    if (*name != '@') {
        calls_add(calls, name);
        return;
    }
    FILE *file = depth < MAX_DEPTH ? fmemopen(sets, strlen(sets), "r") : NULL;
    if (!file) {
        confine_die(CONFINE_FAILED, "the sets of system calls");
    }
    while (fgets(line, sizeof(line), file)) {
        bool indented = *line == ' ';
        const char *word = trimmed(line);
        if (!indented) {
            inside = strcmp(word, name) == 0;
            found |= inside;
        } else if (inside && *word && *word != '#') {
            calls_expand(calls, sets, word, depth + 1);
        }
    }
    (void)fclose(file);
    if (!found) {
        errno = 0;
        confine_die(CONFINE_FAILED, "there is no set %s of system calls", name);
    }
}

/* The first SystemCallFilter allows; each other one takes away (~) or adds. */
static void calls_of_unit(const struct confine *confine, struct calls *calls)
{
    for (size_t i = 0; i < confine->n_filters; i++) {
        char *rest = NULL;
        char *copy = strdup(confine->filters[i]);
        bool takes_away = *copy == '~';
        struct calls *named = calloc(1, sizeof(*named));
        if (!named || (i == 0 && takes_away)) {
            confine_die(CONFINE_USAGE, "the first SystemCallFilter must say what is allowed");
        }
        for (char *word = strtok_r(copy + takes_away, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            calls_expand(named, confine->sets, word, 0);
        }
        for (size_t j = 0; j < named->count; j++) {
            calls_remove(calls, named->names[j]);
            if (!takes_away) {
                calls_add(calls, named->names[j]);
            }
        }
        free(named);
        free(copy);
    }
}

/* ---- filters ---- */

static scmp_filter_ctx filter_new(uint32_t otherwise)
{
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0)) {
        confine_die(CONFINE_FAILED, "a filter of system calls");
    }
    return filter;
}

/* A call that this machine's architecture does not have is left out. */
static void filter_add(scmp_filter_ctx filter, uint32_t action, const char *name, const struct scmp_arg_cmp *condition)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0) {
        return;
    }
    int err = seccomp_rule_add_array(filter, action, number, condition ? 1 : 0, condition);
    if (err) {
        errno = -err;
        confine_die(CONFINE_FAILED, "filter of %s", name);
    }
}

static void filter_load(scmp_filter_ctx filter)
{
    int err = seccomp_load(filter);
    if (err) {
        errno = -err;
        confine_die(CONFINE_FAILED, "the filter of system calls");
    }
    seccomp_release(filter);
}

/* Refuses name when all bits of one of mask's are set in argument. */
static void filter_deny_bits(scmp_filter_ctx filter, const char *name, unsigned argument, scmp_datum_t mask)
{
    filter_add(filter, SCMP_ACT_ERRNO(EPERM), name, &SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, mask));
}

static void filter_deny(scmp_filter_ctx filter, const char *name)
{
    filter_add(filter, SCMP_ACT_ERRNO(EPERM), name, NULL);
}

static void filter_deny_set(scmp_filter_ctx filter, const struct confine *confine, const char *set)
{
    struct calls *calls = calloc(1, sizeof(*calls));
    if (!calls) {
        abort();
    }
    if (confine->sets) {
        calls_expand(calls, confine->sets, set, 0);
    }
    for (size_t i = 0; i < calls->count; i++) {
        filter_deny(filter, calls->names[i]);
    }
    free(calls);
}

static int family_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } families[] = {{"AF_UNIX", AF_UNIX}, {"AF_INET", AF_INET}, {"AF_INET6", AF_INET6}, {"AF_NETLINK", AF_NETLINK}};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (strcmp(families[i].name, name) == 0) {
            return families[i].number;
        }
    }
    confine_die(CONFINE_USAGE, "RestrictAddressFamilies=%s is not known here", name);
}

static void filter_families(scmp_filter_ctx filter, const struct confine *confine)
{
    bool allowed[MAX_FAMILY] = {false};
    char *rest = NULL;
    char *copy = strdup(confine->families);
    uint32_t refuse = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        allowed[family_number(word)] = true;
    }
    free(copy);
    for (unsigned family = 0; family < MAX_FAMILY; family++) {
        if (!allowed[family]) {
            filter_add(filter, refuse, "socket", &SCMP_A0(SCMP_CMP_EQ, family, 0));
        }
    }
    filter_add(filter, refuse, "socket", &SCMP_A0(SCMP_CMP_GE, MAX_FAMILY, 0));
}

static void filter_namespaces(scmp_filter_ctx filter)
{
    static const unsigned long kinds[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                          CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        filter_deny_bits(filter, "unshare", 0, kinds[i]);
        filter_deny_bits(filter, "clone", 0, kinds[i]);
    }
    filter_deny(filter, "setns");
    /* Its flags are in memory, where no filter sees them; callers fall back to clone. */
    filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL);
}

static void filter_suid(scmp_filter_ctx filter)
{
    static const struct {
        const char *name;
        unsigned argument;
    } calls[] = {{"chmod", 1}, {"fchmod", 1},  {"fchmodat", 2}, {"fchmodat2", 2}, {"mkdir", 1}, {"mkdirat", 2},
                 {"mknod", 1}, {"mknodat", 2}, {"creat", 1},    {"open", 2},      {"openat", 3}};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        filter_deny_bits(filter, calls[i].name, calls[i].argument, S_ISUID);
        filter_deny_bits(filter, calls[i].name, calls[i].argument, S_ISGID);
    }
}

static void filter_write_execute(scmp_filter_ctx filter)
{
    filter_deny_bits(filter, "mmap", 2, PROT_WRITE | PROT_EXEC);
    filter_deny_bits(filter, "mprotect", 2, PROT_EXEC);
    filter_deny_bits(filter, "pkey_mprotect", 2, PROT_EXEC);
    filter_deny_bits(filter, "shmat", 2, SHM_EXEC);
}

static void filter_realtime(scmp_filter_ctx filter)
{
    static const unsigned policies[] = {SCHED_FIFO, SCHED_RR, 6 /* SCHED_DEADLINE */};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        filter_add(filter, SCMP_ACT_ERRNO(EPERM), "sched_setscheduler", &SCMP_A1(SCMP_CMP_EQ, policies[i], 0));
    }
}

/* What the other directives forbid, whatever SystemCallFilter allows. */
static void filter_load_directives(const struct confine *confine)
{
    scmp_filter_ctx filter = filter_new(SCMP_ACT_ALLOW);
    if (confine->families) {
        filter_families(filter, confine);
    }
    if (confine->restrict_namespaces) {
        filter_namespaces(filter);
    }
    if (confine->restrict_suid) {
        filter_suid(filter);
    }
    if (confine->deny_write_execute) {
        filter_write_execute(filter);
    }
    if (confine->restrict_realtime) {
        filter_realtime(filter);
    }
    if (confine->lock_personality) {
        filter_add(filter, SCMP_ACT_ERRNO(EPERM), "personality", &SCMP_A0(SCMP_CMP_NE, 0, 0));
    }
    if (confine->protect_hostname) {
        filter_deny(filter, "sethostname");
        filter_deny(filter, "setdomainname");
    }
    if (confine->protect_clock) {
        filter_deny_set(filter, confine, "@clock");
    }
    if (confine->protect_modules) {
        filter_deny_set(filter, confine, "@module");
    }
    if (confine->protect_logs) {
        filter_deny(filter, "syslog");
    }
    filter_load(filter);
}

void confine_filter(const struct confine *confine)
{
    struct calls *calls = calloc(1, sizeof(*calls));
    if (!calls || (confine->errno_name && strcmp(confine->errno_name, "EPERM") != 0) ||
        (confine->architectures && strcmp(confine->architectures, "native") != 0)) {
        errno = 0;
        confine_die(CONFINE_USAGE, "only EPERM and native are known here");
    }
    /* Other architectures' calls are libseccomp's to refuse: it kills the thread. */
    scmp_filter_ctx filter = filter_new(SCMP_ACT_ERRNO(EPERM));
    if (confine->sets) {
        calls_of_unit(confine, calls);
    }
    for (size_t i = 0; i < calls->count; i++) {
        filter_add(filter, SCMP_ACT_ALLOW, calls->names[i], NULL);
    }
    filter_load_directives(confine);
    if (calls->count > 0) {
        filter_load(filter);
    }
    free(calls);
}
