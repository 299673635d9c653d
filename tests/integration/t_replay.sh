#!/bin/sh
# SPDX-License-Identifier: MIT
# Each recorded scenario through slotd and a real HAProxy: at every recorded answer, and once more at the scenario's own pace, slotd's services
# are what `slotctl map` makes of the answer, and those with a backend have their slots. REPLAY_SPEED: by how much faster than recorded (100).
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

recordings=$here/../fixtures/marathon

start_scenario() { # FOLDER SIM-OPTION...
    folder=$1
    shift
    sim_port=0
    start_sim --replay "$folder" "$@"
    write_slotd_conf
    start_slotd
    await "$scenario: slotd is live" 10 status_says "event stream live"
}
end_scenario() {
    stop_slotd
    kill "$sim_pid" && wait "$sim_pid"
    rm -f "$work/slotd.conf" "$work/sim.out"
}
compare() { # LABEL...
    if python3 "$here/replay_check.py" "$BUILD/slotctl" "$work/slotd.sock" "$marathon" "$folder" "$work/backends" "$@" >"$work/compared"; then
        passed=$((passed + $(tail -n 1 "$work/compared")))
    else
        fail "$scenario: the comparison broke off"
    fi
    failed=$((failed + $(grep -c '^FAILED' "$work/compared")))
    grep -A 1 '^FAILED' "$work/compared"
}

# A backend for every service of any answer but one, which stays a service without slots.
for answer in "$recordings"/*/apps-[0-9]*.http; do
    sed '1,/^\r$/d' "$answer" | "$BUILD/slotctl" -o json map - | grep -o '"name": *"[^"]*"' | cut -d'"' -f4
done | sort -u | grep -v '^backend-net-legacy$' >"$work/backends"
backends=$(sed 's/$/ 8/' "$work/backends")
check "there are backends" [ "$(wc -l <"$work/backends")" -gt 10 ]
start_haproxy

scenarios=0
for folder in "$recordings"/*/; do
    folder=${folder%/}
    [ -f "$folder/steps.log" ] && [ -f "$folder/events.times" ] && [ -f "$folder/events.sse" ] || continue
    scenarios=$((scenarios + 1))
    scenario=$(basename "$folder")
    start_scenario "$folder" --speed hold
    compare all
    compare end
    end_scenario
    start_scenario "$folder" --speed "${REPLAY_SPEED:-100}"
    compare over
    end_scenario
done
check "there are scenarios" [ "$scenarios" -ge 10 ]

# A stream that breaks off in the middle: slotd joins at the current point, and loses nothing. As fast as possible is one burst.
folder=$recordings/05-scale
scenario="05-scale, cut off"
start_scenario "$folder" --speed hold
compare 03-to5-mid
sim drop-streams
await "$scenario: live again" 10 status_says "event stream live"
compare 05-to2-early 06-two end
if sim "replay?until=99-nothing"; then fail "an answer that was not recorded is found"; else pass; fi
end_scenario
scenario="05-scale, at once"
start_scenario "$folder" --speed 0
compare over
end_scenario
await "HAProxy is alive" 5 cli "show info"
