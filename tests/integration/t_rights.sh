#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may look and who may change things, by user and group. Other users can only be had by root.
BUILD=$1
. "$(dirname "$0")/lib.sh"
if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
    echo "needs root and setpriv: nothing is tested"
    exit 0
fi

backends="backend-web 3"
start_sim
start_haproxy
put_app /web 1
write_slotd_conf
start_slotd
await "slotd is in step" 10 status_is_good
chmod 755 "$work"
cp "$BUILD/slotctl" "$work/slotctl"
as() { # GROUP SUPPLEMENTARY COMMAND...: as nobody with these groups
    as_group=$1
    as_groups=$2
    shift 2
    setpriv --reuid nobody --regid "$as_group" $([ -n "$as_groups" ] && echo "--groups $as_groups" || echo --clear-groups) \
        "$work/slotctl" -s "$work/slotd.sock" "$@" >"$work/out" 2>"$work/err"
}
says() { grep -q -- "$1" "$work/err"; }

as nogroup "" status
equal "a stranger cannot connect" 3 $?
check "and is told why" says "not in the socket's group"
as root "" status
equal "the socket's group may look" 0 $?
for command in sync confirm; do
    as root "" $command
    equal "the socket's group may not $command" 1 $?
    check "and is told who may" says 'control.group'
done
equal "root may" 0 "$(ctl sync >/dev/null; echo $?)"

stop_slotd
sed -i 's/^control = {/control = { group = "daemon";/' "$work/slotd.conf"
start_slotd
await "slotd is in step again" 10 status_is_good
equal "group of the socket" daemon "$(stat -c %G "$work/slotd.sock")"
as daemon "" sync
equal "control.group may change things" 0 $?
as nogroup daemon sync
equal "as one of several groups too" 0 $?
as root "" status
equal "other groups cannot connect any more" 3 $?

stop_slotd
sed -i 's/group = "daemon"/group = "no-such-group-here"/' "$work/slotd.conf"
"$BUILD/slotd" -c "$work/slotd.conf" 2>"$work/err"
equal "an unknown group" 1 $?
check "is named" says 'no-such-group-here'
