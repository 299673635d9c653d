/* SPDX-License-Identifier: MIT */
/* As whom slotd runs, and who may what with a path. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "doctor.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define USER_NAME "slotd" /* of the unit */
#define USER_MAX_GROUPS 1024

/* ---- who ---- */

static char *show_user(uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);
    return entry ? mem_strdup(entry->pw_name) : mem_printf("%ju", (uintmax_t)uid);
}

static char *show_group(gid_t gid)
{
    const struct group *entry = getgrgid(gid);
    return entry ? mem_strdup(entry->gr_name) : mem_printf("%ju", (uintmax_t)gid);
}

static void user_add_group(struct doctor_user *user, gid_t gid)
{
    user->groups = mem_resize_array(user->groups, user->n_groups + 1, sizeof(*user->groups));
    user->groups[user->n_groups++] = gid;
}

/* The numbers in a line of /proc/PID/status: the effective one is the second. */
static void user_take_line(struct doctor_user *user, char *line)
{
    char *rest = NULL;
    const char *key = strtok_r(line, ":", &rest);
    size_t place = 0;
    for (const char *word; key && (word = strtok_r(NULL, " \t\n", &rest)); place++) {
        int64_t number = 0;
        if (text_parse_int(word, 0, UINT32_MAX, &number)) {
            return;
        }
        if (strcmp(key, "Uid") == 0 && place == 1) {
            user->uid = (uid_t)number;
            user->known = true;
        } else if ((strcmp(key, "Gid") == 0 && place == 1) || strcmp(key, "Groups") == 0) {
            user_add_group(user, (gid_t)number);
        }
    }
}

static void user_find_by_pid(pid_t pid, struct doctor_user *user)
{
    cleanup_free char *path = mem_printf("/proc/%jd/status", (intmax_t)pid);
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0) {
        user_take_line(user, line);
    }
    free(line);
    if (file) {
        (void)fclose(file);
    }
    user->runs = user->known;
    user->name = user->known ? show_user(user->uid) : NULL;
}

static void user_find_by_name(struct doctor_user *user)
{
    const struct passwd *entry = getpwnam(USER_NAME);
    if (!entry) {
        return;
    }
    int count = USER_MAX_GROUPS;
    user->known = true;
    user->name = mem_strdup(USER_NAME);
    user->uid = entry->pw_uid;
    user->groups = mem_alloc_array(USER_MAX_GROUPS, sizeof(*user->groups));
    user->n_groups = getgrouplist(USER_NAME, entry->pw_gid, user->groups, &count) >= 0 ? (size_t)count : 0;
}

void doctor_user_find(pid_t pid, struct doctor_user *ret_user)
{
    struct doctor_user user = {0};
    if (pid > 0) {
        user_find_by_pid(pid, &user);
    }
    if (!user.known) {
        user_find_by_name(&user);
    }
    *ret_user = user;
}

void doctor_user_free(struct doctor_user *user)
{
    free(user->name);
    free(user->groups);
    *user = (struct doctor_user){0};
}

/* ---- what ---- */

void doctor_path_look(const char *path, struct doctor_path *ret_path)
{
    struct stat status;
    struct doctor_path seen = {0};
    if (stat(path, &status)) {
        seen.err = -errno;
    } else {
        seen.mode = status.st_mode;
        seen.uid = status.st_uid;
        seen.gid = status.st_gid;
        seen.changed_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
        seen.has_acl = getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
        seen.owner = show_user(seen.uid);
        seen.group = show_group(seen.gid);
    }
    *ret_path = seen;
}

void doctor_path_free(struct doctor_path *path)
{
    free(path->owner);
    free(path->group);
    *path = (struct doctor_path){0};
}
