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
