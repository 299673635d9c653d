#!/bin/sh
# SPDX-License-Identifier: MIT
# Ways around a whitelist, and labels that would make slotd grow: other spellings of a path, HTTP/2, lists that change while HAProxy is
# away, a list that comes to an app under load.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

use_maps
edge_port=$(free_port)
web_port=$(free_port)
pools='{ class = "http"; prefix = "pool-http-"; }'
control_extra="http = \"127.0.0.1:$web_port\";"
edge_extra="http_bind = \"127.0.0.1:$edge_port\";"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 200 --killed-ms 250
write_maps_conf
write_haproxy_cfg() { "$BUILD/slotctl" render -c "$work/slotd.conf" --init --backends 10 --slots 4 2>"$work/render.log" | localize >"$work/haproxy.cfg"; }
start_haproxy
start_slotd -d
await "slotd is in step" 10 status_is_good

# The app whose task answers to that client, or the status.
from() { # ADDRESS HOST PATH [OPTION...]
    client=$1
    host=$2
    path=$3
    shift 3
    answered_by "$(curl -s -m 10 -o "$work/answer" -w '%{http_code}' --path-as-is --interface "$client" -H "Host: $host" "$@" "http://127.0.0.1:$edge_port$path")"
}
gives() { # WANTED COMMAND...
    wanted=$1
    shift
    [ "$("$@")" = "$wanted" ]
}

# ---- another way to write a path ----

put_app /seg 1 '{"traefik.pub.portIndex":"0","traefik.pub.frontend.rule":"Host:seg.test","traefik.adm.portIndex":"0",
    "traefik.adm.frontend.rule":"Host:seg.test;PathPrefix:/admin","traefik.adm.frontend.whiteList.sourceRange":"127.0.0.2"}'
put_app /exact 1 '{"traefik.pub.portIndex":"0","traefik.pub.frontend.rule":"Host:exact.test","traefik.adm.portIndex":"0",
    "traefik.adm.frontend.rule":"Host:exact.test;Path:/admin","traefik.adm.frontend.whiteList.sourceRange":"127.0.0.2"}'
put_app /open 1 '{"traefik.frontend.rule":"Host:open.test"}'
put_app /both 1 '{"traefik.frontend.rule":"Host:open.test;PathPrefix:/other"}'
for host in seg exact; do
    await "the rule for all paths of $host" 10 gives $host from 127.0.0.1 $host.test /x
    await "the list of its path" 10 gives 403 from 127.0.0.1 $host.test /admin
done
await "an open path" 10 gives both from 127.0.0.1 open.test /other
for path in //admin ///admin/x /./admin /x/../admin '/x/..;/admin' '/x/..;a=b/admin' '/;/admin' '/;a/admin/x' '/x/y/../../admin' /x/%2e%2e/admin /%2e/admin /%2fadmin \
    '/x%2f..%2fadmin' '/x/%2e.%3b/admin' /x/..//admin '/x/.;/../admin' '/x/y/z/../../../admin' '/x/..\admin' '/\admin' /x/..%5cadmin /a/b/c/d/e/f/g/h/../../../../../../../../admin; do
    check "$path is no way around the list" sh -c "case $(from 127.0.0.1 seg.test "$path") in 400|403) ;; *) exit 1 ;; esac"
done
for path in //admin /./admin /x/../admin '/admin;a=b' '/x/..;/admin' /admin/ /admin/. '/admin/;x' /%2fadmin /admin%2f; do
    check "$path is no way around the list of one path" sh -c "case $(from 127.0.0.1 exact.test "$path") in 400|403) ;; *) exit 1 ;; esac"
done
for path in '/x;a=b/c' /x//y /x/../y /a/b/../../c '/x?u=//admin' '/x?u=/../admin' '/?..//' /x..y/.z '/x/...' '/q;//' /http://other.test/x; do
    equal "$path is anybody's" seg "$(from 127.0.0.1 seg.test "$path")"
    equal "$path where nothing is protected" open "$(from 127.0.0.1 open.test "$path")"
done
equal "//other goes as it is written where both are open" open "$(from 127.0.0.1 open.test //other)"
equal "who is listed" seg "$(from 127.0.0.2 seg.test /admin/x)"

# ---- HTTP/2, and requests that name two hosts ----

# An old browser's and a proxy's form: the host of the URL and of Host. Where they differ nobody is served by the one and routed by the other.
two_hosts() { # URL-HOST HOST
    printf 'GET http://%s/admin HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "$2" | python3 -c "
import socket, sys
s = socket.create_connection(('127.0.0.1', $edge_port), 5)
s.sendall(sys.stdin.buffer.read())
print(s.recv(4096).split()[1].decode())"
}
equal "a whole URL" 403 "$(two_hosts seg.test seg.test)"
check "a whole URL of another host is no way around" sh -c "case $(two_hosts open.test seg.test) in 400|403) ;; *) exit 1 ;; esac"
if curl -V | grep -q HTTP2; then
    h2() { from "$1" "$2" "$3" --http2-prior-knowledge; }
    equal "h2: everybody's path" seg "$(h2 127.0.0.1 seg.test /x)"
    equal "h2: who is listed" seg "$(h2 127.0.0.2 seg.test /admin)"
    for path in /admin //admin /x/../admin '/;/admin' /%61dmin; do
        check "h2: $path from elsewhere" sh -c "case $(h2 127.0.0.1 seg.test "$path") in 400|403) ;; *) exit 1 ;; esac"
    done
    equal "h2: a host in capitals with a port" 403 "$(h2 127.0.0.1 SEG.test:8080 /admin)"
    equal "h2: a last dot" 403 "$(h2 127.0.0.1 seg.test. /admin)"
else
    skip "curl knows no HTTP/2"
fi

# ---- a list that comes to an app under load: no task of the new version serves anybody else ----

put_app /late 2 '{"traefik.frontend.rule":"Host:late.test"}'
await "everybody's" 10 gives late from 127.0.0.9 late.test /
python3 "$here/access_clients.py" "$edge_port" late.test 127.0.0.9 >"$work/clients.json" 2>"$work/clients.log" &
clients_pid=$!
pids="$pids $clients_pid"
await "clients ask" 10 grep -q begun "$work/clients.log"
put_app /late 2 '{"traefik.frontend.rule":"Host:late.test","traefik.frontend.whiteList.sourceRange":"127.0.0.2"}'
await "the list is there" 10 gives 403 from 127.0.0.9 late.test /
await "the cluster settles" 10 sim_settled
await "who is listed is served" 10 gives late from 127.0.0.2 late.test /
kill -TERM "$clients_pid"
wait "$clients_pid"
tasks_of /late >"$work/new.tasks"
check "clients were served before" grep -q '^served by late' "$work/clients.log"
equal "new tasks that served a client who is not listed" "" "$(grep '^served by' "$work/clients.log" | tr ' ' '\n' | grep -xF -f "$work/new.tasks")"

# ---- lists that change while HAProxy is away ----

leaving() { curl -s "http://127.0.0.1:$web_port/metrics" | sed -n 's/^slotd_access_entries_leaving{haproxy="edge"} //p'; }
# 256 ranges of a length that takes 8 entries each: 2048 for a list.
many() { python3 -c "print(','.join(f'10.{$1}.{i}.0/25' for i in range(256)))"; }
list_is_known() { ctl -o json services backend-long | grep -q "10\.$1\.0\.0"; }
put_list() { # NUMBER
    put_app /long 1 "{\"traefik.frontend.rule\":\"Host:long.test\",\"traefik.frontend.whiteList.sourceRange\":\"$(many "$1")\"}"
    await "list $1 is known" 10 list_is_known "$1"
}
put_list 1
await "the list is in HAProxy" 10 sh -c "curl -s -o /dev/null -w '%{http_code}' -H 'Host: long.test' http://127.0.0.1:$edge_port/ | grep -q 403"
await "nothing else leaves" 10 [ "$(leaving)" = 0 ]
kill -KILL $(cat "$work/haproxy.pid")
wait "$haproxy_pid" 2>/dev/null
await "HAProxy is away" 10 sh -c "! '$BUILD/slotctl' -s '$work/slotd.sock' status"
for round in 1 2 3; do
    put_list 2
    put_list 1
done
check "the same lists again and again are kept once: $(leaving)" [ "$(leaving)" -le 4096 ]
for number in 3 4 5 6 7 8 9 10 11 12; do
    put_list $number
    check "no more than 16384 leave: $(leaving)" [ "$(leaving)" -le 16384 ]
done
check "that is told" grep -q "entries of former whitelists and redirects wait for routes" "$work/slotd.log"
"$HAPROXY" -W -db -f "$work/haproxy.cfg" -p "$work/haproxy.pid" >>"$work/haproxy.log" 2>&1 &
pids="$pids $!"
await "in step with the new HAProxy" 20 status_is_good
equal "who is on no list" 403 "$(from 127.0.0.1 long.test /)"
last_alone() { [ "$(in_map whitelist | tr ',' '\n' | grep '^backend-long~' | grep -vc ' 10\.12\.')" = 0 ]; }
await "the last list alone is left" 10 last_alone
equal "all of it" 2048 "$(in_map whitelist | tr ',' '\n' | grep -c '^backend-long~.* 10\.12\.')"
