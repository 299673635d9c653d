#!/bin/sh
# SPDX-License-Identifier: MIT
# Marathon's password and token come from files alone, and go nowhere but to Marathon: not into a log, an answer, the list of processes, a
# core, or to another host.
BUILD=$1
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

secret=horse-battery-$$
coded=$(printf 'ops:%s' "$secret" | base64 -w 0)
mkdir "$work/secret" "$work/outputs" "$work/cwd"
printf '%s\n' "$secret" >"$work/secret/password"
printf '%s-wrong\n' "$secret" >"$work/secret/wrong"
chmod 640 "$work/secret/password" "$work/secret/wrong"
# Everything that this test keeps is looked through, the files of secrets aside.
nowhere() { # TEXT
    equal "$1: files with the secret in them" "" "$(grep -rlF -e "$secret" -e "$coded" --exclude-dir=secret "$work")"
}

backends="backend-web 3"
start_sim --starting-ms 10 --running-ms 10 --basic "$coded"
curl() { command curl -u "ops:$secret" "$@"; }
put_app /web 2
start_haproxy
with_password() { # FILE: a configuration with that password
    rm -f "$work/slotd.conf"
    marathon_extra="user = \"ops\"; password_file = \"$1\";"
    write_slotd_conf
}
with_password "$work/secret/password"

# All that can be asked for, at the most talkative, while everything is well.
"$BUILD/slotd" -t -d -c "$work/slotd.conf" >"$work/outputs/t" 2>&1
equal "slotd -t" 0 $?
start_slotd -d --log-format json
await "slotd is in step" 10 status_is_good
await "its tasks serve" 10 slots_are backend-web ready 2
task=$(tasks_of /web | sed -n 1p)
for form in text json; do
    for command in status services slots plan sync drains weight events "drain task $task" "undrain task $task"; do
        # A command may be several words.
        # shellcheck disable=SC2086
        ctl -o $form $command >"$work/outputs/$form-${command%% *}" 2>&1
    done
done
tr '\0' '\n' <"/proc/$slotd_pid/cmdline" >"$work/outputs/cmdline"
# Root alone reads this of a process that cannot be dumped.
[ ! -r "/proc/$slotd_pid/environ" ] || tr '\0' '\n' <"/proc/$slotd_pid/environ" >"$work/outputs/environ"
check "the command line was read" grep -q slotd.conf "$work/outputs/cmdline"
nowhere "while all is well"

# While nothing is: another password, a file that everybody may read, one that is no secret, none at all.
in_use_times() { [ "$(grep -c 'in use now' "$work/slotd.log")" -ge "$1" ]; }
cp "$work/secret/wrong" "$work/secret/password"
kill -HUP "$slotd_pid"
await "the other password is read" 10 in_use_times 1
sim drop-streams
await "the 401 is said" 10 status_says "not accepted"
ctl -o json status >"$work/outputs/refused"
check "a file that everybody may read" chmod 644 "$work/secret/password"
printf '%s\n' "$secret" >"$work/secret/password"
await "the password is read again" 15 status_is_good
check "who may read it is said" grep -q "password: everybody may read it (mode 0644)" "$work/slotd.log"
chmod 640 "$work/secret/password"
printf '%s\001\n' "$secret" >"$work/secret/password"
kill -HUP "$slotd_pid"
await "a control byte in it is said" 10 grep -q "holds a control byte" "$work/slotd.log"
rm "$work/secret/password"
kill -HUP "$slotd_pid"
await "its lack is said" 10 grep -q "password: cannot be read" "$work/slotd.log"
printf '%s\n' "$secret" >"$work/secret/password"
stop_slotd
# LeakSanitizer, in a build that has it, copes with a process that cannot be dumped.
equal "it ends well" 0 $?
sed "s|\"$marathon\"|\"http://ops:$secret@127.0.0.1:$sim_port\"|" "$work/slotd.conf" >"$work/secret/url.conf"
"$BUILD/slotd" -t -c "$work/secret/url.conf" >"$work/outputs/url" 2>&1
equal "a password in a URL" 1 $?
check "is refused, and not shown" grep -q "contains credentials" "$work/outputs/url"
"$BUILD/slotctl" map "http://ops:$secret@127.0.0.1:$sim_port/v2/apps" >"$work/outputs/map" 2>&1
equal "for slotctl map too" 1 $?
check "with the way out" grep -q "netrc-file" "$work/outputs/map"
nowhere "while nothing is well"

# Redirects: one, for the same path by the same scheme, is a standby's word about its leader. Nothing else is followed.
redirector() { # NAME LOCATION: $NAME_port
    python3 "$here/redirector.py" "$2" >"$work/secret/$1.seen" 2>"$work/$1.log" &
    pids="$pids $!"
    await "$1 listens" 10 [ -s "$work/secret/$1.seen" ]
    eval "$1_port=$(head -n 1 "$work/secret/$1.seen")"
}
requests_at() { sed 1d "$work/secret/$1.seen" | grep -c /; }
redirector stranger none
redirector second "http://127.0.0.1:$stranger_port/v2/events"
redirector scheme "https://127.0.0.1:$stranger_port/v2/events"
redirector path "http://127.0.0.1:$stranger_port/v2/events/elsewhere"
redirector named "http://eve:eve@127.0.0.1:$stranger_port/v2/events"
redirector twice "http://127.0.0.1:$second_port/v2/events"
for case in "scheme:to another scheme is not followed" "path:to another path is not followed" "named:with a user in its Location" \
    "twice:redirected twice"; do
    eval "endpoints=\"\\\"http://127.0.0.1:\$${case%%:*}_port\\\"\""
    with_password "$work/secret/password"
    : >"$work/slotd.log"
    start_slotd -d
    await "redirect ${case%%:*} is said" 10 grep -q "${case#*:}" "$work/slotd.log"
    stop_slotd
    check "${case%%:*} has the credentials" grep -qF "Basic $coded" "$work/secret/${case%%:*}.seen"
done
check "the leader that a standby names has the credentials" grep -qF "Basic $coded" "$work/secret/second.seen"
equal "requests at the stranger" 0 "$(requests_at stranger)"
nowhere "with redirects"

# A token.
printf '%s\n' "$secret" >"$work/secret/token"
chmod 600 "$work/secret/token"
endpoints="\"http://127.0.0.1:$scheme_port\""
rm "$work/slotd.conf"
marathon_extra="dcos_token_file = \"$work/secret/token\";"
: >"$work/slotd.log"
start_slotd -d
await "the token is sent" 10 grep -qF "token=$secret" "$work/secret/scheme.seen"
ctl -o json status >"$work/outputs/token" 2>&1
stop_slotd
nowhere "with a token"

# Another user's process, and one of the same user's, reads none of its memory; without a secret in the configuration it is as any process.
endpoints=
with_password "$work/secret/password"
cp "$work/slotd.conf" "$work/with.conf"
marathon_extra=
rm "$work/slotd.conf"
write_slotd_conf
cp "$work/slotd.conf" "$work/without.conf"
# In a folder of its own, with cores as large as they get.
start_here() {
    (cd "$work/cwd" && ulimit -c unlimited && exec "$BUILD/slotd" -c "$work/slotd.conf" >>"$work/slotd.log" 2>&1) &
    slotd_pid=$!
    pids="$pids $slotd_pid"
}
answers() { ctl status; [ $? -le 1 ]; }
crash() { # waits for its end
    kill -SEGV "$slotd_pid"
    wait "$slotd_pid" 2>/dev/null
}
core_limit() { awk '/^Max core file size/ { print $5, $6 }' "/proc/$slotd_pid/limits"; }
has_in_memory() { # TEXT: the process's own memory, as root sees it
    python3 - "$slotd_pid" "$1" <<'PY'
import sys
pid, text = sys.argv[1], sys.argv[2].encode()
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
    for line in maps:
        place, rights = line.split()[:2]
        start, end = (int(edge, 16) for edge in place.split("-"))
        if rights.startswith("rw") and end - start < 1 << 30 and "[v" not in line:
            memory.seek(start)
            if text in memory.read(end - start):
                sys.exit(0)
sys.exit(1)
PY
}
pattern=$(cat /proc/sys/kernel/core_pattern)
case $pattern in
*/* | '|'* | '') skip "a real core: core_pattern is $pattern" ;;
*)
    if is_asan "$BUILD/slotd" || ! (ulimit -c unlimited) 2>/dev/null; then
        skip "a real core: the sanitizer, or a hard limit, forbids them"
    else
        cp "$work/without.conf" "$work/slotd.conf"
        start_here
        await "slotd without a secret answers" 10 answers
        crash
        equal "cores without a secret" 1 "$(ls "$work/cwd" | wc -l)"
        check "which has its memory in it" grep -qaF "$marathon" "$work"/cwd/core*
        rm -f "$work"/cwd/core*

        cp "$work/with.conf" "$work/slotd.conf"
        start_here
        await "slotd with a secret is in step" 10 status_is_good
        equal "its limit of cores" "0 0" "$(core_limit)"
        if [ "$(id -u)" -eq 0 ]; then check "the secret is in its memory" has_in_memory "$secret"; fi
        crash
        equal "cores with a secret" "" "$(ls "$work/cwd")"

        cp "$work/without.conf" "$work/slotd.conf"
        start_here
        await "slotd without a secret answers again" 10 answers
        cp "$work/with.conf" "$work/slotd.conf"
        kill -HUP "$slotd_pid"
        await "in step with the secret that a reload has brought" 10 status_is_good
        cp "$work/without.conf" "$work/slotd.conf"
        kill -HUP "$slotd_pid"
        await "without it again" 10 status_says "not accepted"
        crash
        equal "cores after a reload that brought it, and one that took it away" "" "$(ls "$work/cwd")"
    fi
    ;;
esac
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    # /proc/PID of a process that cannot be dumped is root's, whoever runs it.
    uid=$((61184 + $$ % 4000))
    chmod 755 "$work"
    chown -R "$uid" "$work/secret"
    for case in "without $uid" "with 0"; do
        mkdir "$work/run-${case%% *}"
        sed "s|$work/slotd.sock|$work/run-${case%% *}/slotd.sock|; s|state_dir = \"[^\"]*\"|state_dir = \"$work/run-${case%% *}\"|" \
            "$work/${case%% *}.conf" >"$work/slotd.conf"
        cp "$BUILD/slotd" "$work/run-${case%% *}/"
        chown -R "$uid" "$work/run-${case%% *}"
        setpriv --reuid "$uid" --regid "$uid" --clear-groups "$work/run-${case%% *}/slotd" -c "$work/slotd.conf" >>"$work/slotd.log" 2>&1 &
        slotd_pid=$!
        pids="$pids $slotd_pid"
        await "slotd ${case%% *} a secret listens" 10 [ -S "$work/run-${case%% *}/slotd.sock" ]
        equal "who /proc has it belong to, ${case%% *} a secret" "${case#* }" "$(stat -c %u "/proc/$slotd_pid/environ")"
        equal "whether its own user reads its memory, ${case%% *} a secret" "$([ "${case%% *}" = with ] && echo 1 || echo 0)" \
            "$(setpriv --reuid "$uid" --regid "$uid" --clear-groups cat "/proc/$slotd_pid/maps" >"$work/maps" 2>/dev/null; echo $?)"
        stop_slotd
        rm -r "$work/run-${case%% *}"
    done
else
    skip "who may read its memory: that needs root and setpriv"
fi
nowhere "at the end"
