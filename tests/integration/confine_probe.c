/* SPDX-License-Identifier: MIT */
/* Tries what a confined daemon must not be able to do, and what it must be: prints "NAME allowed" or "NAME refused" for
 * each. It is run by tests/integration/confine, see t_confine.sh. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static bool can_write(const char *folder)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/confine-probe", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool can = fd >= 0 && write(fd, "x", 1) == 1;
    if (fd >= 0) {
        close(fd);
        (void)unlink(path);
    }
    return can;
}

static bool can_list(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir) {
        (void)closedir(dir);
    }
    return dir;
}

/* What the kernel refuses for want of a capability counts as allowed: the family itself is not forbidden. */
static bool can_open_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0 || errno != EAFNOSUPPORT;
}

static bool can_map_writable_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && munmap(page, 4096) == 0;
}

static bool can_make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

/* A process of one's own, which waits to be looked at. */
static bool can_trace(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    bool can = child > 0 && ptrace(PTRACE_ATTACH, child, NULL, NULL) == 0;
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    return can;
}

/* In a process of its own, which is not the one that goes on if it succeeds. */
static bool in_child(bool (*attempt)(void))
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        _exit(attempt() ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool can_make_user_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}

/* Without arguments it is an error, where it is let through. */
static bool can_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0) < 0 && errno != ENOSYS;
}

static bool can_be_realtime(void)
{
    struct sched_param parameters = {.sched_priority = 1};
    return sched_setscheduler(0, SCHED_FIFO, &parameters) == 0;
}

static bool can_set_suid(void)
{
    const char *path = "/run/slotd/confine-suid";
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    bool can = fd >= 0 && fchmod(fd, 04700) == 0;
    if (fd >= 0) {
        close(fd);
        (void)unlink(path);
    }
    return can;
}

static bool can_set_personality(void)
{
    return personality(ADDR_NO_RANDOMIZE) >= 0;
}

static bool can_mount(void)
{
    return mount("tmpfs", "/run/slotd", "tmpfs", 0, NULL) == 0;
}

static bool can_become_root(void)
{
    return setuid(0) == 0;
}

/* To what it is, so that nothing is lost where it succeeds. */
static bool can_set_host_name(void)
{
    struct utsname name;
    return uname(&name) == 0 && sethostname(name.nodename, strlen(name.nodename)) == 0;
}

static bool can_add_key(void)
{
    return syscall(SYS_add_key, "user", "slotd-probe", "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0;
}

static bool can_limit_affinity(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 && sched_setaffinity(0, sizeof(set), &set) == 0;
}

static bool can_dump_core(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max > 0;
}

static bool can_write_tunables(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool can_give_file_away(void)
{
    return chown("/run/slotd", (uid_t)-1, getegid()) == 0;
}

static bool can_make_pipe(void)
{
    int ends[2];
    return pipe2(ends, O_CLOEXEC) == 0;
}

static void tell(const char *name, bool allowed)
{
    printf("%s %s\n", name, allowed ? "allowed" : "refused");
}

static void tell_of_files(void)
{
    tell("write-/run/slotd", can_write("/run/slotd"));
    tell("write-/var/lib/slotd", can_write("/var/lib/slotd"));
    tell("write-/var/lib/slotd/maps", can_write("/var/lib/slotd/maps"));
    tell("write-/tmp", can_write("/tmp"));
    tell("write-/run/shown", can_write("/run/shown"));
    tell("write-/dev/shm", can_write("/dev/shm"));
    tell("list-/home", can_list("/home"));
    tell("list-/root", can_list("/root"));
    tell("see-process-1", access("/proc/1/stat", F_OK) == 0);
    tell("see-/proc/sys", access("/proc/sys/kernel/hostname", F_OK) == 0);
    tell("write-/proc", can_write_tunables());
    tell("see-/dev/tty", access("/dev/tty", F_OK) == 0);
    tell("write-/dev/null", access("/dev/null", W_OK) == 0);
    tell("chown", can_give_file_away());
    tell("suid", can_set_suid());
}

static void tell_of_calls(void)
{
    tell("socket-unix", can_open_socket(AF_UNIX, SOCK_STREAM));
    tell("socket-inet", can_open_socket(AF_INET, SOCK_STREAM));
    tell("socket-netlink", can_open_socket(AF_NETLINK, SOCK_RAW));
    tell("socket-packet", can_open_socket(AF_PACKET, SOCK_RAW));
    tell("socket-vsock", can_open_socket(AF_VSOCK, SOCK_STREAM));
    tell("map-write-execute", can_map_writable_code());
    tell("make-code", can_make_code());
    tell("ptrace", can_trace());
    tell("mount", can_mount());
    tell("setuid", in_child(can_become_root));
    tell("unshare-user", in_child(can_make_user_namespace));
    tell("clone3", can_clone3());
    tell("realtime", in_child(can_be_realtime));
    tell("personality", in_child(can_set_personality));
    tell("host-name", can_set_host_name());
    tell("add-key", can_add_key());
    tell("affinity", can_limit_affinity());
    tell("core", can_dump_core());
    tell("pipe", can_make_pipe());
}

int main(void)
{
    tell_of_files();
    tell_of_calls();
    return 0;
}
