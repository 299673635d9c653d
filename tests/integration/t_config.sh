#!/bin/sh
# SPDX-License-Identifier: MIT
# slotd.conf from the outside: slotd -t, what keeps slotd from starting, SIGHUP.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 5"
start_sim --starting-ms 10 --running-ms 10
start_haproxy
put_app /web 2
write_slotd_conf
cp "$work/slotd.conf" "$work/good.conf"

slotd() { "$BUILD/slotd" "$@" >"$work/out" 2>"$work/err"; }
slotd -t -c "$work/slotd.conf"
equal "exit code of a good configuration" 0 $?
equal "what is said of it" "$work/slotd.conf: good" "$(cat "$work/out")"
printf 'marathon = {\n  endpoint = 1;\n};\nspoe = { threads = "x"; };\n' >"$work/bad.conf"
slotd -t -c "$work/bad.conf"
equal "exit code of a bad one" 1 $?
equal "what is wrong with it" "$work/bad.conf:2: unknown key \`endpoint\` in marathon; did you mean \`endpoints\`?
$work/bad.conf:4: spoe.threads must be a whole number from 1 to 64, not a string
$work/bad.conf:1: haproxy has no entry; name at least one, such as haproxy = ( { name = \"edge\"; socket = \"/run/haproxy/admin.sock\"; } );" "$(cat "$work/err")"
sed "s|state_dir = \"$work\"|state_dir = \"$work/none\"|" "$work/good.conf" >"$work/slotd.conf"
start_slotd
await "a state_dir that is not there is told at start" 10 \
    grep -q "warning orders: control.state_dir $work/none cannot be written: No such file or directory" "$work/slotd.log"
stop_slotd
: >"$work/slotd.log"
cp "$work/good.conf" "$work/slotd.conf"
slotd -c "$work/bad.conf"
equal "exit code of slotd with a bad one" 1 $?
{ cat "$work/good.conf"; echo 'spoe = { listen = "127.0.0.1:9876"; };'; } >"$work/later.conf"
slotd -t -c "$work/later.conf"
equal "exit code with a key that does nothing yet" 0 $?
check "which is told" grep -q 'warning config: spoe.listen has no effect in this version' "$work/err"
slotd -t -c "$work/none.conf"
equal "exit code without a file" 1 $?
for call in -x "--log-format xml" -c extra; do
    # shellcheck disable=SC2086
    slotd $call
    equal "exit code of slotd $call" 2 $?
done

# What keeps the control socket from being made.
refused() { # TEXT WHY
    slotd -c "$work/slotd.conf"
    equal "exit code: $1" 1 $?
    check "$1" grep -qF "error control: $2" "$work/err"
}
sed "s|$work/slotd.sock|$work/none/slotd.sock|" "$work/good.conf" >"$work/slotd.conf"
refused "a folder that is missing is named" "$work/none/slotd.sock: there is no folder $work/none; create it, with write access for slotd"
sed 's|state_dir|group = "nobody-s"; state_dir|' "$work/good.conf" >"$work/slotd.conf"
refused "so is a group" "control.group: there is no group nobody-s on this machine"
cp "$work/good.conf" "$work/slotd.conf"
: >"$work/slotd.sock"
refused "a file in the socket's place stays" "$work/slotd.sock exists and is no socket"
rm "$work/slotd.sock"

python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$work/slotd.sock')"
start_slotd
await "a socket that nobody listens on is replaced" 10 slots_are backend-web ready 2
refused "one that a slotd listens on is not" "$work/slotd.sock: another slotd answers there"

rule_is() { ctl -o json services backend-web | grep -q "\"rule\": \"$1\""; }
count_commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
commands=$(count_commands)
cp "$work/bad.conf" "$work/slotd.conf"
kill -HUP "$slotd_pid"
await "each finding is a line" 10 grep -q "error config: $work/slotd.conf:4: spoe.threads must be" "$work/slotd.log"
check "the first too" grep -q "error config: $work/slotd.conf:2: unknown key" "$work/slotd.log"
check "the old configuration stays" rule_is Host:web.test
rm "$work/slotd.conf"
kill -HUP "$slotd_pid"
await "a file that is gone is refused" 10 grep -q "error config: $work/slotd.conf: cannot be read: No such file" "$work/slotd.log"
check "the old configuration stays again" rule_is Host:web.test
sed 's|domain = "test"|domain = "other"|' "$work/good.conf" >"$work/slotd.conf"
kill -HUP "$slotd_pid"
await "a good one is taken" 10 rule_is Host:web.other
await "slots serve as before" 10 slots_are backend-web ready 2
equal "no command was sent for it" "$commands" "$(count_commands)"
equal "the event stream stays" 1 "$(grep -c 'event stream of .* is live' "$work/slotd.log")"
equal "HAProxy's connection too" 1 "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["adoptions"])')"
sed 's|domain = "test"|vocabulary = "marathon-lb"|' "$work/good.conf" >"$work/slotd.conf"
kill -HUP "$slotd_pid"
await "a key that does nothing yet is told" 10 grep -q 'warning config: mapping.vocabulary = "marathon-lb" has no effect' "$work/slotd.log"
servers >"$work/before"
stop_slotd
equal "exit code at SIGTERM" 0 $?
check "the socket is gone" [ ! -e "$work/slotd.sock" ]
servers >"$work/after"
check "HAProxy is as it was" cmp "$work/before" "$work/after"
