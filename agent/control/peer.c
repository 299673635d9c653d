/* SPDX-License-Identifier: MIT */
/* Who is at the other end of the control socket: the kernel's word, not the client's. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_private.h"
#include "slotd/mem.h"

#define PEER_MAX_GROUPS 65536 /* NGROUPS_MAX of Linux */

static bool peer_has_supplementary_group(int fd, gid_t group)
{
    socklen_t size = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) < 0 && errno != ERANGE) {
        return false;
    }
    if (size == 0 || size > PEER_MAX_GROUPS * sizeof(gid_t)) {
        return false;
    }
    cleanup_free gid_t *groups = mem_alloc(size);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
        return false;
    }
    for (size_t i = 0; i < size / sizeof(gid_t); i++) {
        if (groups[i] == group) {
            return true;
        }
    }
    return false;
}

bool peer_may_change(int fd, const struct control *control, unsigned *ret_uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return false;
    }
    *ret_uid = peer.uid;
    if (peer.uid == 0 || peer.uid == geteuid()) {
        return true;
    }
    return control->has_group && (peer.gid == control->group || peer_has_supplementary_group(fd, control->group));
}
