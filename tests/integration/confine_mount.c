/* SPDX-License-Identifier: MIT */
/* The file system of a confined program: a mount namespace of its own, where all is read-only but its folders. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

/* <sys/mount.h> and <linux/mount.h> do not go together in each glibc. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);

enum { RECURSIVE = 0x8000 }; /* AT_RECURSIVE */

static void put_tmpfs(const char *target, const char *mode)
{
    if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, mode) && errno != ENOENT) {
        confine_die(CONFINE_FAILED, "tmpfs at %s", target);
    }
    errno = 0;
}

/* A copy of the mount, which nothing that is done to the tree later touches. */
static int take_tree(const char *path)
{
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) {
        confine_die(errno == EPERM || errno == ENOSYS ? CONFINE_REFUSED : CONFINE_FAILED, "%s", path);
    }
    return tree;
}

static void put_tree(int tree, const char *target)
{
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)) {
        confine_die(CONFINE_FAILED, "mount at %s", target);
    }
    close(tree);
}

static void set_read_only(const char *path, bool on, unsigned flags)
{
    struct mount_attr attributes = {0};
    *(on ? &attributes.attr_set : &attributes.attr_clr) = MOUNT_ATTR_RDONLY;
    if (syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof(attributes)) && errno != ENOENT) {
        confine_die(errno == ENOSYS ? CONFINE_REFUSED : CONFINE_FAILED, "read-only at %s", path);
    }
    errno = 0;
}

static void make_parents(const char *path)
{
    char part[256];
    for (size_t i = 1; path[i - 1] && i < sizeof(part); i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            (void)mkdir(part, 0755);
        }
    }
    errno = 0;
}

static void make_devices(void)
{
    static const char *const names[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    int trees[sizeof(names) / sizeof(names[0])];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        trees[i] = take_tree(names[i]);
    }
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=0755")) {
        confine_die(CONFINE_FAILED, "tmpfs at /dev");
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        close(open(names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        put_tree(trees[i], names[i]);
    }
}

static void make_proc(const struct confine *confine)
{
    char options[128];
    const char *hide = confine->protect_proc;
    const char *subset = confine->proc_subset;
    if (!hide && !subset) {
        return;
    }
    (void)snprintf(options, sizeof(options), "%s%s%s%s%s", hide ? "hidepid=" : "", hide ? hide : "",
                   hide && subset ? "," : "", subset ? "subset=" : "", subset ? subset : "");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)) {
        confine_die(errno == EPERM || errno == EINVAL ? CONFINE_REFUSED : CONFINE_FAILED, "proc with %s", options);
    }
}

static void enter(const struct confine *confine)
{
    int kinds =
        CLONE_NEWNS | (confine->private_ipc ? CLONE_NEWIPC : 0) | (confine->protect_hostname ? CLONE_NEWUTS : 0);
    if (unshare(kinds)) {
        confine_die(CONFINE_REFUSED, "namespaces are refused");
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
        confine_die(CONFINE_REFUSED, "private mounts are refused");
    }
}

void confine_mount(struct confine *confine)
{
    enter(confine);
    for (size_t i = 0; i < confine->n_views; i++) {
        confine->views[i].tree = take_tree(confine->views[i].from);
    }
    /* The machine's own folders at the unit's places stay out of it. */
    put_tmpfs("/run", "mode=0755");
    put_tmpfs("/var/lib", "mode=0755");
    if (confine->private_tmp) {
        put_tmpfs("/tmp", "mode=1777");
        put_tmpfs("/var/tmp", "mode=1777");
    }
    if (confine->protect_home) {
        put_tmpfs("/home", "mode=0000");
        put_tmpfs("/root", "mode=0000");
    }
    if (confine->private_devices) {
        make_devices();
    }
    make_proc(confine);
    for (size_t i = 0; i < confine->n_views; i++) {
        make_parents(confine->views[i].to);
        put_tree(confine->views[i].tree, confine->views[i].to);
    }
    if (confine->protect_system) {
        if (strcmp(confine->protect_system, "strict") != 0) {
            confine_die(CONFINE_USAGE, "ProtectSystem=%s: only strict is known here", confine->protect_system);
        }
        set_read_only("/", true, RECURSIVE);
        if (confine->private_tmp) {
            set_read_only("/tmp", false, 0);
            set_read_only("/var/tmp", false, 0);
        }
    }
    for (size_t i = 0; i < confine->n_views; i++) {
        set_read_only(confine->views[i].to, confine->protect_system && !confine->views[i].writable, 0);
    }
    set_read_only("/proc", confine->protect_tunables, 0);
    set_read_only("/sys", confine->protect_tunables, 0);
    set_read_only("/sys/fs/cgroup", confine->protect_cgroups, 0);
    if (chdir("/")) {
        confine_die(CONFINE_FAILED, "/");
    }
}
