/* SPDX-License-Identifier: MIT */
/* The files without which HAProxy does not start, or complains. What is there is never touched. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_private.h"
#include "render.h"
#include "slotd/mem.h"

#define FILE_MODE 0644 /* as slotd writes them */

static bool init_refuse(const char *path, const char *why)
{
    fprintf(stderr, "slotctl: %s: %s\n", path, why);
    return false;
}

static bool init_check_folder(const char *folder)
{
    struct stat status;
    if (stat(folder, &status)) {
        return init_refuse(folder, errno == ENOENT ? "there is no such folder; create it, with write access for slotd"
                                                   : strerror(errno));
    }
    return S_ISDIR(status.st_mode) || init_refuse(folder, "is no folder");
}

/* Somebody's, perhaps full: only looked at. */
static bool init_check_file(const char *path)
{
    struct stat status;
    if (stat(path, &status)) {
        return init_refuse(path, errno == ENOENT ? "is a link to a file that is not there" : strerror(errno));
    }
    return S_ISREG(status.st_mode) || init_refuse(path, "is there and is no file");
}

static bool init_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return errno == EEXIST ? init_check_file(path) : init_refuse(path, strerror(errno));
    }
    size_t len = strlen(content);
    bool good = fchmod(fd, FILE_MODE) == 0 && write(fd, content, len) == (ssize_t)len;
    int err = errno;
    if ((close(fd) && good) || !good) {
        (void)unlink(path);
        return init_refuse(path, strerror(good ? errno : err));
    }
    fprintf(stderr, "slotctl: %s: created\n", path);
    return true;
}

static bool init_maps(const struct config_haproxy *haproxy)
{
    bool good = init_check_folder(haproxy->maps_dir);
    for (int i = 0; good && i < RENDER_N_MAPS; i++) {
        cleanup_free char *path = render_map_path(haproxy, (enum render_map)i);
        good = init_file(path, "");
    }
    return good;
}

/* The version line alone: of a file without it HAProxy says that it cannot tell its version. */
static bool init_state_file(const struct config_haproxy *haproxy)
{
    cleanup_free char *copy = mem_strdup(haproxy->state_file);
    return init_check_folder(dirname(copy)) && init_file(haproxy->state_file, "1\n");
}

bool render_init_files(const struct config_haproxy *haproxy)
{
    if (!haproxy->maps_dir[0] && !haproxy->state_file[0]) {
        fputs("slotctl: nothing to create: neither haproxy.maps_dir nor haproxy.state_file is set\n", stderr);
    }
    bool good = !haproxy->maps_dir[0] || init_maps(haproxy);
    return (!haproxy->state_file[0] || init_state_file(haproxy)) && good;
}
