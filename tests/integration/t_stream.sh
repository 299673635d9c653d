#!/bin/sh
# SPDX-License-Identifier: MIT
# The event stream when it is cut again and again, and what slotd asks of Marathon meanwhile.
BUILD=$1
. "$(dirname "$0")/lib.sh"

start_sim --starting-ms 10 --running-ms 10
put_app /web 1
start_slotd
await "the stream is live" 10 status_says "event stream live"

# A proxy that cuts every stream as soon as it is live: each one costs a complete answer, so the pauses grow.
before=$(sim_stat streams)
end=$(($(date +%s) + 5))
while [ "$(date +%s)" -lt "$end" ]; do sim drop-streams; done
streams=$(($(sim_stat streams) - before))
check "at most 12 streams in 5 s of cuts, and it were $streams" [ "$streams" -le 12 ]
check "it came back at least twice" [ "$streams" -ge 2 ]
await "live again" 15 status_says "event stream live"
