/* SPDX-License-Identifier: MIT */
/* Starts a program as a systemd unit restricts it: user, groups, capabilities, limits; confine_mount.c has the file
 * system, confine_filter.c the system calls. */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char usage[] =
    "usage: confine -u UID -g GID [-G GID]... -r ROOT [-s SETS] [-v FROM=TO]... UNIT PROGRAM ARGUMENT...\n"
    "Runs PROGRAM as UNIT restricts it. ROOT gets the unit's folders: run/NAME, state/NAME.\n"
    "SETS is what `systemd-analyze syscall-filter` prints; without it calls are not filtered.\n"
    "-v shows the folder FROM at TO, read-only.\n";

void confine_die(int code, const char *format, ...)
{
    const char *cause = errno ? strerror(errno) : NULL;
    va_list args;
    va_start(args, format);
    (void)fputs("confine: ", stderr);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "%s%s\n", cause ? ": " : "", cause ? cause : "");
    exit(code);
}

static unsigned number(const char *text, int base)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, base);
    errno = 0;
    if (end == text || *end || value > 0x7fffffff) {
        confine_die(CONFINE_USAGE, "%s is no number", text);
    }
    return (unsigned)value;
}

/* Read now: inside it may not be seen. */
static char *whole_file(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file || getdelim(&text, &size, '\0', file) < 0) {
        confine_die(CONFINE_USAGE, "%s", path);
    }
    (void)fclose(file);
    return text;
}

static void add_view(struct confine *confine, const char *from, const char *to, bool writable)
{
    if (confine->n_views == CONFINE_MAX_WORDS) {
        confine_die(CONFINE_USAGE, "too many folders");
    }
    confine->views[confine->n_views++] = (struct confine_view){.from = from, .to = to, .writable = writable};
}

static char *joined(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        abort();
    }
    return path;
}

/* The folders of a RuntimeDirectory= or StateDirectory= line, as systemd makes them: the user's own, with the mode. One
 * that is there is kept. */
static void make_folders(struct confine *confine, const char *names, const char *mode, const char *under,
                         const char *to)
{
    char *copy = names ? strdup(names) : NULL;
    char *rest = NULL;
    char *base = joined(confine->root, under);
    (void)mkdir(base, 0755);
    for (char *name = copy ? strtok_r(copy, " ", &rest) : NULL; name; name = strtok_r(NULL, " ", &rest)) {
        char *path = joined(base, name);
        if ((mkdir(path, 0755) && errno != EEXIST) || chown(path, confine->uid, confine->gid) ||
            chmod(path, number(mode ? mode : "0755", 8))) {
            confine_die(CONFINE_FAILED, "%s", path);
        }
        if (!strchr(name, '/')) {
            add_view(confine, path, joined(to, name), true);
        }
    }
    free(base);
    free(copy);
}

static void limit(int resource, const char *value)
{
    if (value) {
        rlim_t most = number(value, 10);
        struct rlimit rlimit = {most, most};
        if (setrlimit((enum __rlimit_resource)resource, &rlimit)) {
            confine_die(CONFINE_FAILED, "limit %s", value);
        }
    }
}

static void drop_capabilities(const struct confine *confine)
{
    if (confine->ambient && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) {
        confine_die(CONFINE_FAILED, "ambient capabilities");
    }
    for (unsigned long capability = 0; confine->bounding_set; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)) {
            if (errno != EINVAL || capability == 0) {
                confine_die(CONFINE_FAILED, "capability %lu", capability);
            }
            return; /* the kernel has no more of them */
        }
    }
}

static void become_user(const struct confine *confine)
{
    if (confine->umask) {
        umask(number(confine->umask, 8));
    }
    limit(RLIMIT_CORE, confine->limit_core);
    limit(RLIMIT_NOFILE, confine->limit_nofile);
    drop_capabilities(confine);
    if (setgroups(confine->n_groups, confine->groups) || setresgid(confine->gid, confine->gid, confine->gid) ||
        setresuid(confine->uid, confine->uid, confine->uid)) {
        confine_die(CONFINE_FAILED, "user %u", confine->uid);
    }
    if (confine->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        confine_die(CONFINE_FAILED, "no new privileges");
    }
}

static void take_option(struct confine *confine, int option, char *value)
{
    char *equals = strchr(value, '=');
    if (option == 'u') {
        confine->uid = number(value, 10);
    } else if (option == 'g') {
        confine->gid = number(value, 10);
    } else if (option == 'G' && confine->n_groups < CONFINE_MAX_WORDS) {
        confine->groups[confine->n_groups++] = number(value, 10);
    } else if (option == 'r') {
        confine->root = value;
    } else if (option == 's') {
        confine->sets = whole_file(value);
    } else if (option == 'v' && equals) {
        *equals = '\0';
        add_view(confine, value, equals + 1, false);
    } else {
        (void)fputs(usage, stderr);
        exit(CONFINE_USAGE);
    }
}

int main(int argc, char **argv)
{
    struct confine confine = {0};
    int option;
    while ((option = getopt(argc, argv, "+u:g:G:r:s:v:")) != -1) {
        take_option(&confine, option, optarg ? optarg : argv[0]);
    }
    if (argc - optind < 2 || !confine.uid || !confine.gid || !confine.root) {
        (void)fputs(usage, stderr);
        return CONFINE_USAGE;
    }
    errno = 0;
    confine_read_unit(&confine, argv[optind]);
    make_folders(&confine, confine.runtime_directory, confine.runtime_mode, "run", "/run");
    make_folders(&confine, confine.state_directory, confine.state_mode, "state", "/var/lib");
    /* The program may stand where it is not seen any more. */
    int program = open(argv[optind + 1], O_PATH | O_CLOEXEC);
    if (program < 0) {
        confine_die(CONFINE_FAILED, "%s", argv[optind + 1]);
    }
    confine_mount(&confine);
    become_user(&confine);
    confine_filter(&confine);
    syscall(SYS_execveat, program, "", &argv[optind + 1], environ, AT_EMPTY_PATH);
    confine_die(CONFINE_FAILED, "%s", argv[optind + 1]);
}
