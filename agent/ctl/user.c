/* SPDX-License-Identifier: MIT */
/* Who asked, as people know him. Looked up here and not in slotd: a name service may block. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/types.h>

#include "ctl_private.h"
#include "slotd/mem.h"

#define USER_MIN_BYTES 1024
#define USER_MAX_BYTES (1024 * 1024) /* of one entry of the user database */

static bool by_to_uid(const char *by, uid_t *ret_uid)
{
    static const char prefix[] = "uid ";
    const char *digits = by + sizeof(prefix) - 1;
    if (strncmp(by, prefix, sizeof(prefix) - 1) != 0 || !digits[0] || digits[strspn(digits, "0123456789")] != '\0') {
        return false;
    }
    errno = 0;
    uintmax_t number = strtoumax(digits, NULL, 10);
    *ret_uid = (uid_t)number;
    return errno == 0 && *ret_uid == number;
}

/* The caller frees; NULL: nobody has that number, or nobody knows. */
static char *uid_to_name(uid_t uid)
{
    struct passwd entry;
    struct passwd *found = NULL;
    int err = ERANGE;
    char *name = NULL;
    for (size_t size = USER_MIN_BYTES; err == ERANGE && size <= USER_MAX_BYTES; size *= 2) {
        cleanup_free char *bytes = mem_alloc(size);
        err = getpwuid_r(uid, &entry, bytes, size, &found);
        name = found ? mem_strdup(found->pw_name) : NULL;
    }
    return name;
}

char *user_show(const char *by)
{
    uid_t uid = 0;
    cleanup_free char *name = by_to_uid(by, &uid) ? uid_to_name(uid) : NULL;
    return name ? mem_printf("%s (%s)", name, by) : mem_strdup(by);
}
