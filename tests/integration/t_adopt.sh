#!/bin/sh
# SPDX-License-Identifier: MIT
# slotd was away while the cluster changed: what serves is adopted, what nobody claims leaves when answers confirm it, and the guard
# holds what would be too much.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 20"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 10
start_slotd
await "ten slots serve" 10 slots_are backend-web ready 10
stop_slotd

# Three went while slotd was away: their slots serve until two answers have confirmed that nobody claims them.
put_app /web 7
await "the cluster settles" 10 sim_settled
start_slotd
await "seven serve" 10 slots_are backend-web ready 7
await "nobody's slots are free" 10 slots_are backend-web free 13
await "in step" 10 status_is_good
stop_slotd

# Everything was redeployed: replaced is replaced, with no human.
put_app /web 7 '{"version":"2"}'
await "the cluster settles" 10 sim_settled
start_slotd
await "seven new ones serve" 10 slots_are backend-web ready 7
await "the old ones left" 10 slots_are backend-web free 13
stop_slotd

# Most of it is gone: held, until an operator confirms.
put_app /web 10
await "the cluster settles" 10 sim_settled
start_slotd
await "ten serve" 10 slots_are backend-web ready 10
stop_slotd
put_app /web 2
await "the cluster settles" 10 sim_settled
start_slotd
await "the guard holds" 10 status_says "slotctl confirm"
check "what it holds serves on" slots_are backend-web unclaimed 8
check "confirm" ctl confirm
await "it leaves" 10 slots_are backend-web free 18
await "in step" 10 status_is_good
stop_slotd

put_app /web 10
await "the cluster settles" 10 sim_settled
start_slotd
await "ten serve again" 10 slots_are backend-web ready 10
stop_slotd
put_app /web 2
await "the cluster settles" 10 sim_settled
start_slotd --confirm
await "a start with --confirm needs no human" 10 slots_are backend-web free 18

# kill -9 at any moment loses nothing.
put_app /web 6 &
change=$!
kill -9 "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
wait "$change"
start_slotd
await "the cluster settles" 10 sim_settled
await "six serve" 10 slots_are backend-web ready 6
await "in step" 10 status_is_good
