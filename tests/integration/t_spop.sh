#!/bin/sh
# SPDX-License-Identifier: MIT
# The SPOE agent with a real HAProxy: its check, variables, a load on many connections, a reload under load, the agent stopped, killed
# and ended; and bytes that no HAProxy sends.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

version=$("$HAPROXY" -v | sed -n 's/.*ersion \([0-9]*\.[0-9]*\).*/\1/p')
case $version in 2.* | 3.0) mode=tcp ;; *) mode=spop ;; esac
mkfifo "$work/orders"

start_agent() { # LISTEN
    "$BUILD/tests/integration/spoe_agent" "$1" 2 <"$work/orders" >"$work/agent.out" 2>"$work/agent.log" &
    agent_pid=$!
    pids="$pids $agent_pid"
    exec 9>"$work/orders"
    await "the agent listens on $1" 10 grep -q listening "$work/agent.out"
}
numbers() { # the agent's, after it has published once more
    lines=$(wc -l <"$work/agent.out")
    echo >&9
    until [ "$(wc -l <"$work/agent.out")" -gt "$lines" ]; do kill -0 "$agent_pid" || return 1; sleep 0.02; done
    tail -n 1 "$work/agent.out"
}
number() { numbers | tr ' ' '\n' | sed -n "s/^$1=//p"; }
number_is() { [ "$(number "$1")" = "$2" ]; }

agent_port=$(free_port)
cat >"$work/spoe.conf" <<CFG
[route]
spoe-agent slotd
    messages slotd-route
    option var-prefix slotd
    option set-on-error error
    timeout hello 1s
    timeout idle 1m
    timeout processing 500ms
    use-backend agent
    log global
spoe-message slotd-route
    args method=method host=req.hdr(host) path=path query=query src=src headers=req.hdrs_bin
    event on-frontend-http-request
CFG
frontend_rules="    filter spoe engine route config $work/spoe.conf
    http-request return status 503 content-type text/plain lf-string \"no verdict %[var(txn.slotd.error)]\\n\" unless { var(txn.slotd.backend) -m found }
    http-request return status 200 content-type text/plain lf-string \"%[var(txn.slotd.backend)] %[var(txn.slotd.path)] %[var(txn.slotd.service)]\\n\""
agent_backend() { # ADDRESS
    haproxy_extra="backend agent
    mode $mode
    option spop-check
    timeout connect 1s
    timeout server 1m
    server a $1 check inter 100ms"
}
ask() { curl -s -m 10 -H "Host: ${2:-web}" "http://127.0.0.1:$edge_port$1"; }
code() { curl -s -m 10 -o /dev/null -w '%{http_code}' -H 'Host: web' "http://127.0.0.1:$edge_port$1"; }
code_is() { [ "$(code "$1")" = "$2" ]; }
is_up() { cli "show stat" | grep '^agent,a,' | grep -q ',UP,.*,L7OK,'; }

# ---- what HAProxy says, answered ----

start_agent "127.0.0.1:$agent_port"
agent_backend "127.0.0.1:$agent_port"
start_haproxy
await "HAProxy's check is good" 10 is_up
equal "variables are set" "web /a table-0" "$(ask /a | sed 's/ table-.*/ table-0/')"
numbers >/dev/null
check "what is published next is what is read" [ "$(ask /a)" != "web /a table-0" ]
long=$(printf '%09000d' 0)
equal "an answer that is too long for a frame is no verdict" 503 "$(code "/$long")"
equal "it is counted" 1 "$(number truncated)"
equal "and the next is one again" 200 "$(code /b)"

# ---- a load, and a reload under it ----

start_load web -r 1000 -k 0
load_wanted() { [ "$(number requests)" -gt 1000 ]; }
await "requests arrive" 20 load_wanted
kill -USR2 "$haproxy_pid"
before=$(number requests)
goes_on() { [ "$(number requests)" -gt $((before + 1000)) ]; }
await "requests go on after the reload" 20 goes_on
stop_load
check "there were some" [ "$(load_value requests)" -gt 1000 ]
equal "none of them failed" 0 "$(load_value failed)"
equal "no connection was ended for an error" 000000 "$(numbers | tr ' ' '\n' | sed -n 's/^d\([1-9]\|1[0-4]\)=//p' | tr -d '\n' | cut -c1-6)"

# ---- bytes that no HAProxy sends ----

check "hostile bytes" python3 "$here/spop_hostile.py" "$agent_port"
equal "HAProxy is served beside them" 200 "$(code /c)"

# ---- the agent stopped, killed, ended ----

kill -STOP "$agent_pid"
equal "stopped: no verdict, in time" 503 "$(code /stopped)"
kill -CONT "$agent_pid"
await "going on: verdicts" 10 code_is /again 200
kill -KILL "$agent_pid"
wait "$agent_pid" 2>/dev/null
equal "killed: no verdict" 503 "$(code /killed)"
start_agent "127.0.0.1:$agent_port"
await "a new agent: verdicts" 10 code_is /new 200
kill "$agent_pid"
exec 9>&-
check "it ends well" wait "$agent_pid"
equal "ended: no verdict" 503 "$(code /ended)"
kill $(cat "$work/haproxy.pid")
wait "$haproxy_pid"

# ---- sockets without a port ----

for listen in "$work/agent.sock" "abns@slotd-test-$$"; do
    start_agent "$listen"
    case $listen in /*) agent_backend "unix@$listen" ;; *) agent_backend "$listen" ;; esac
    start_haproxy
    await "HAProxy's check is good at $listen" 10 is_up
    equal "variables are set by $listen" "web /d" "$(ask /d | sed 's/ table-.*//')"
    kill $(cat "$work/haproxy.pid")
    wait "$haproxy_pid"
    exec 9>&-
    check "the end of its orders is its end" wait "$agent_pid"
done
check "its socket file is gone" [ ! -e "$work/agent.sock" ]
