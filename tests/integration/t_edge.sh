#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may use a route, where, and where it sends them: whitelists by the client's address, redirects, entry points; what protects fails
# closed; all of it changes at run time, under load, and outlives slotd and HAProxy.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps"
edge_port=$(free_port)
https_port=$(free_port)
old_port=$(free_port)
dual_port=$(free_port)
# A task that is replaced ends once its requests have: none of them is what this is about.
start_sim --starting-ms 5 --running-ms 5 --killing-ms 200 --killed-ms 250
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { pools = ( { class = "http"; prefix = "pool-http-"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
edge = { http_bind = "127.0.0.1:$edge_port,[::1]:$edge_port"; https_bind = "127.0.0.1:$https_port"; certificates = "$work/none.pem"; };
CONF
"$BUILD/slotctl" render -c "$work/slotd.conf" --init --backends 40 --slots 6 >"$work/rendered.cfg" 2>"$work/render.log"
# The entry point https is what comes to its port: no TLS is needed to tell. The third frontend knows nothing but routes.map.
sed -e "s| ssl crt .*||; /^frontend http from/a\\    bind :::$dual_port v4v6" -e '/^    chroot /d; /^    user haproxy$/d; /^    group haproxy$/d; s/ user root group haproxy / /; /log \/dev\/log/d' \
    "$work/rendered.cfg" >"$work/haproxy.cfg"
old_frontend="
frontend old from slotd.http
    bind 127.0.0.1:$old_port
    http-request set-var(txn.path) path
    use_backend %[req.hdr(host),field(1,:),lower,concat(,txn.path),map_beg($maps/routes.map)]"
echo "$old_frontend" >>"$work/haproxy.cfg"
run_haproxy() {
    "$HAPROXY" -W -db -f "$work/haproxy.cfg" -p "$work/haproxy.pid" >>"$work/haproxy.log" 2>&1 &
    haproxy_pid=$!
    pids="$pids $haproxy_pid"
    await "HAProxy answers" 10 cli "show info"
}
end_haproxy() {
    kill -KILL $(cat "$work/haproxy.pid")
    wait "$haproxy_pid" 2>/dev/null
    pids=$(for pid in $pids; do [ "$pid" = "$haproxy_pid" ] || printf '%s ' "$pid"; done)
}
run_haproxy
start_slotd -d
await "slotd is in step" 10 status_is_good

# NAME LABELS [INSTANCES]: the app's host is NAME.test; labels without their `traefik.frontend.`, as `key=value` with | between them.
app() {
    labels=$(printf '%s' "$2" | tr '|' '\n' | sed '/^$/d; s/\\/\\\\/g; s/^\([^=]*\)=\(.*\)$/,"traefik.frontend.\1":"\2"/' | tr -d '\n')
    put_app "/$1" "${3:-1}" "{\"traefik.frontend.rule\":\"Host:$1.test\"$labels}"
}
# The app whose task answers, or the status with where to.
fetch() { # PORT HOST [OPTION...]
    port=$1
    host=$2
    shift 2
    result=$(curl -s -o "$work/answer" -w '%{http_code} %{redirect_url}' -H "Host: $host" "$@" "http://${to:-127.0.0.1}:$port${path:-/x}")
    case $result in 200*) sed 's/[._].*//' "$work/answer" ;; *) echo "${result% }" ;; esac
}
http() { fetch "$edge_port" "$@"; }
https() { fetch "$https_port" "$@"; }
old() { fetch "$old_port" "$@"; }
from() { fetch "$edge_port" "$2.test" --interface "$1"; } # ADDRESS NAME
v6() { to='[::1]' fetch "$edge_port" "$1.test" -g; }
mapped() { fetch "$dual_port" "$2.test" --interface "$1"; }
gives() { # WANTED COMMAND...
    wanted=$1
    shift
    [ "$("$@")" = "$wanted" ]
}
problems() { ctl -o json services "$@" | python3 -c "import json,sys; print(' '.join(sorted({p['app'] + ':' + p['code'] for p in json.load(sys.stdin)['problems']})))"; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
file_is() { [ "$(sort "$maps/$1.map" | tr '\n' ',')" = "$(in_map "$1")" ]; }
summary() { ctl -o json services "backend-$1" | python3 -c "import json,sys; print(json.load(sys.stdin)['services'][0]['access']['summary'])"; }

# ---- whitelists ----

app open ""
app list "whiteList.sourceRange=127.0.0.2, 127.0.0.16/28,127.1.128.0/17"
app six "whiteList.sourceRange=::/0"
app both "whiteList.sourceRange=::1,127.0.0.0/30"
app other "whiteList.sourceRange=fd00::/8"
await "an app without labels is open" 10 gives open from 127.0.0.1 open
await "a client that is listed" 10 gives list from 127.0.0.2 list
for client in 127.0.0.16 127.0.0.31 127.1.128.0 127.1.255.254; do equal "$client is listed" list "$(from $client list)"; done
for client in 127.0.0.1 127.0.0.3 127.0.0.15 127.0.0.32 127.1.127.255 127.2.0.1 127.1.0.2; do equal "$client is not listed" 403 "$(from $client list)"; done
await "every IPv6 client" 10 gives six v6 six
equal "is none of IPv4" 403 "$(from 127.0.0.1 six)"
await "one IPv6 client" 10 gives both v6 both
equal "and some of IPv4" both "$(from 127.0.0.3 both)"
equal "not the others" 403 "$(from 127.0.0.4 both)"
await "none of these IPv6 clients" 10 gives 403 v6 other
equal "IPv4 over IPv6 is IPv4" list "$(mapped 127.0.0.17 list)"
equal "also where it is refused" 403 "$(mapped 127.0.0.32 list)"
equal "and not one of all IPv6" 403 "$(mapped 127.0.0.1 six)"
equal "IPv6 itself" six "$(to='[::1]' fetch "$dual_port" six.test -g)"
for name in list six both other; do equal "a frontend that knows routes.map alone does not serve $name" 503 "$(old $name.test)"; done
equal "and serves what is open" open "$(old open.test)"
equal "https has the list too" 403 "$(https list.test)"
equal "no header makes another client" 403 "$(from 127.0.0.1 list -H 'X-Forwarded-For: 127.0.0.2')"
equal "what services says" "from 127.0.0.2/32 and 2 more" "$(summary list)"
equal "no problem" "" "$(problems)"
# A list of every kind of length, and its neighbours.
app long "whiteList.sourceRange=127.3.0.0/19,127.4.0.0/18,127.5.0.0/21,127.8.0.0/13,127.6.0.1/32,127.7.0.2/31"
await "a list of many lengths" 10 gives long from 127.3.31.255 long
for client in 127.3.0.1 127.4.63.255 127.5.7.255 127.15.255.254 127.8.0.1 127.6.0.1 127.7.0.3; do equal "$client" long "$(from $client long)"; done
for client in 127.3.32.0 127.4.64.0 127.5.8.0 127.16.0.1 127.6.0.2 127.7.0.4 127.7.0.1; do equal "$client" 403 "$(from $client long)"; done

# The same tasks by two rules, one of them for a path with a list: another way to write the path is no way around it.
put_app /seg 1 '{"traefik.pub.portIndex":"0","traefik.pub.frontend.rule":"Host:seg.test","traefik.adm.portIndex":"0",
    "traefik.adm.frontend.rule":"Host:seg.test;PathPrefix:/admin","traefik.adm.frontend.whiteList.sourceRange":"127.0.0.2"}'
put_app /one 1 '{"traefik.frontend.rule":"Host:one.test;Path:/health"}'
await "the rule for all paths" 10 gives seg from 127.0.0.1 seg
path=/admin
await "the list of the path" 10 gives 403 from 127.0.0.1 seg
for path in /admin/x /%61dmin '/adm%69n?x' /%61%64%6d%69%6e/; do equal "$path from elsewhere" 403 "$(from 127.0.0.1 seg)"; done
equal "who is listed" seg "$(from 127.0.0.2 seg)"
for host in seg.test/ seg.test/x seg.test/x:80 a,seg.test/x; do equal "a host with a path, $host" 400 "$(http "$host")"; done
path=/health
await "a rule for one path" 10 gives one http one.test
for path in /health%00 /health%00/../admin; do equal "$path is not that one" 400 "$(http one.test --path-as-is)"; done
path=/health%2500
equal "nor is %00 itself" 404 "$(http one.test)"
path=/x

# ---- what protects fails closed ----

app bad "whiteList.sourceRange=127.0.0.1,127.0.0.0/33"
app auth "auth.basic.users=me:\$apr1\$H6uskkkW\$IgXLP6ewTrSuBkTrqE8wj/"
app former "whitelistSourceRange=127.0.0.5"
app typo "whitelist.sourcerange=127.0.0.1"
app proxied "whiteList.sourceRange=127.0.0.1|whiteList.useXForwardedFor=true"
await "a list that cannot be read" 10 gives 503 from 127.0.0.1 bad
await "authentication" 10 gives 503 from 127.0.0.1 auth
await "the former name of the label" 10 gives former from 127.0.0.5 former
equal "it refuses too" 403 "$(from 127.0.0.1 former)"
await "a name that is not quite right" 10 gives 503 from 127.0.0.1 typo
await "the connection's source counts" 10 gives proxied from 127.0.0.1 proxied
equal "not what a header says" 403 "$(fetch "$edge_port" proxied.test --interface 127.0.0.2 -H 'X-Forwarded-For: 127.0.0.1')"
for name in bad auth typo; do
    equal "$name at https" 503 "$(https $name.test)"
    equal "$name in the frontend that knows routes.map alone" 503 "$(old $name.test)"
done
equal "each is a problem" "/auth:auth-unsupported /bad:whitelist-invalid /proxied:whitelist-forwarded /typo:whitelist-unknown" "$(problems)"

# ---- entry points ----

app plain "entryPoints=http"
app secure "entryPoints=https"
await "http alone" 10 gives plain http plain.test
equal "not at https" 404 "$(https plain.test)"
await "https alone" 10 gives secure https secure.test
equal "not at http" 404 "$(http secure.test)"
equal "the others have both" open "$(https open.test)"
# The same rule for two apps, each at its own.
put_app /door 1 '{"traefik.frontend.rule":"Host:two.test","traefik.frontend.entryPoints":"http"}'
put_app /room 1 '{"traefik.frontend.rule":"Host:two.test","traefik.frontend.entryPoints":"https"}'
put_app /attic 1 '{"traefik.frontend.rule":"Host:two.test;PathPrefix:/x/attic","traefik.frontend.entryPoints":"https"}'
await "one rule, two apps: http" 10 gives door http two.test
await "one rule, two apps: https" 10 gives room https two.test
path=/x/attic/1
await "a longer prefix at https" 10 gives attic https two.test
equal "is none at http" door "$(http two.test)"
path=
curl -sf -X DELETE "$marathon/v2/apps/room" >/dev/null
await "one of them goes" 10 gives 404 https two.test
equal "the other stays" door "$(http two.test)"

# ---- redirects ----

app moved "redirect.entryPoint=https"
app forever "redirect.entryPoint=https|redirect.permanent=true"
app down "redirect.entryPoint=http"
put_app /away 1 '{"traefik.frontend.rule":"Host:away.test,stay.test","traefik.frontend.redirect.regex":"^http://away\\.test/(.*)","traefik.frontend.redirect.replacement":"https://else.test:8443/new/$1"}'
path='/a/b?c=d&e=%2f'
await "to https" 10 gives "302 https://moved.test:$https_port$path" http moved.test
equal "another method stays what it is" "307 https://moved.test:$https_port$path" "$(http moved.test -X POST)"
equal "also HEAD" "307 https://moved.test:$https_port$path" "$(http moved.test -I)"
equal "a host with a port" "302 https://moved.test:$https_port$path" "$(http Moved.Test:$edge_port)"
equal "which serves it" moved "$(https moved.test)"
await "for ever" 10 gives "301 https://forever.test:$https_port$path" http forever.test
equal "for ever, by another method" "308 https://forever.test:$https_port$path" "$(http forever.test -X PUT)"
await "to http" 10 gives "302 http://down.test:$edge_port$path" https down.test
equal "which serves it" down "$(http down.test)"
await "to another host" 10 gives "302 https://else.test:8443/new$path" http away.test
equal "not from its other one" away "$(http stay.test)"
equal "nor at the other entry point" away "$(https away.test)"
equal "a redirect is no bare backend" 503 "$(old moved.test)"
app both2 "redirect.entryPoint=https|whiteList.sourceRange=127.0.0.2"
path=/x
await "a whitelist comes before a redirect" 10 gives 403 from 127.0.0.1 both2
equal "as in Traefik" "302 https://both2.test:$https_port/x" "$(from 127.0.0.2 both2)"
app regex "redirect.regex=^http://[ab]/(.*)|redirect.replacement=http://c/\$1"
app nowhere "redirect.entryPoint=traefik"
app half "redirect.regex=^http://half.test/(.*)"
app host "passHostHeader=false|priority=many"
await "what no look-up can express is closed" 10 gives 503 from 127.0.0.1 regex
await "also an entry point that there is not" 10 gives 503 from 127.0.0.1 nowhere
await "half a redirect is none" 10 gives half from 127.0.0.1 half
await "passHostHeader=false serves" 10 gives host from 127.0.0.1 host
equal "each is a problem" "/half:redirect-incomplete /host:pass-host-header-fixed /host:priority-invalid /nowhere:redirect-entry-point-unknown /regex:redirect-unsupported" \
    "$(problems backend-half backend-host backend-nowhere backend-regex)"
ctl routes >"$work/routes"
check "routes: a whitelist" grep -q '^backend-list .* yes  *from 127.0.0.2/32 and 2 more$' "$work/routes"
check "routes: a redirect" grep -q '^backend-moved .* yes  *to https$' "$work/routes"
check "routes: an entry point" grep -q '^backend-secure .* yes  *https$' "$work/routes"
check "routes: closed" grep -q '^backend-bad .* yes  *closed$' "$work/routes"
for map in whitelist redirect routes; do await "the file of $map.map is in step" 10 file_is $map; done

# ---- both sides begin anew ----

all=$(in_map routes)$(in_map whitelist)$(in_map redirect)
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd -d
await "in step again" 10 status_is_good
equal "maps" "$all" "$(in_map routes)$(in_map whitelist)$(in_map redirect)"
equal "commands after a restart" 0 "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])')"
await "the files are in step" 10 file_is whitelist
kill -STOP "$slotd_pid"
end_haproxy
run_haproxy
equal "HAProxy alone: listed" list "$(from 127.0.0.2 list)"
equal "HAProxy alone: not listed" 403 "$(from 127.0.0.1 list)"
equal "HAProxy alone: closed" 503 "$(from 127.0.0.1 auth)"
equal "HAProxy alone: redirected" "302 https://moved.test:$https_port/x" "$(http moved.test)"
equal "HAProxy alone: https" 404 "$(http secure.test)"
kill -CONT "$slotd_pid"
await "in step with the new HAProxy" 10 status_is_good
equal "its maps" "$all" "$(in_map routes)$(in_map whitelist)$(in_map redirect)"

# A list changed while slotd was away: who is on both lists notices nothing, and no entry of the former one is left.
stop_slotd
app list "whiteList.sourceRange=127.0.0.2,127.0.0.40"
start_slotd -d
await "the new list" 10 gives list from 127.0.0.40 list
equal "who was on both" list "$(from 127.0.0.2 list)"
equal "who is no more" 403 "$(from 127.0.0.16 list)"
no_more() { ! in_map "$1" | grep -q "$2"; }
await "nothing is left of the former one" 10 no_more whitelist '127.0.0.16/28'

# ---- changes under load ----

start_clients() { # NAME ADDRESS...
    clients_of=$1
    shift
    python3 "$here/access_clients.py" "$edge_port" "$clients_of.test" "$@" >"$work/clients.json" 2>"$work/clients.log" &
    clients_pid=$!
    pids="$pids $clients_pid"
    await "clients ask" 10 grep -q begun "$work/clients.log"
}
stop_clients() {
    kill -TERM "$clients_pid"
    wait "$clients_pid"
    pids=$(for pid in $pids; do [ "$pid" = "$clients_pid" ] || printf '%s ' "$pid"; done)
    : >"$work/clients.log"
}
statuses() { python3 -c "import json; print(' '.join(sorted(json.load(open('$work/clients.json'))['$1'])))"; }
asked() { python3 -c "import json; print(sum(sum(c.values()) for c in json.load(open('$work/clients.json')).values()))"; }
app busy "whiteList.sourceRange=127.0.0.1,127.0.0.2" 2
await "a list" 10 gives busy from 127.0.0.2 busy
start_clients busy 127.0.0.1 127.0.0.9
for round in 1 2 3 4 5 6; do
    app busy "whiteList.sourceRange=127.0.0.3,127.0.0.0/31" 2
    await "another list" 10 gives busy from 127.0.0.3 busy
    await "instead of the first one" 10 gives 403 from 127.0.0.2 busy
    app busy "whiteList.sourceRange=127.0.0.1,127.0.0.2" 2
    await "the first one" 10 gives busy from 127.0.0.2 busy
    await "instead of the other one" 10 gives 403 from 127.0.0.3 busy
done
stop_clients
equal "who was on all lists, of $(asked) requests" 200 "$(statuses 127.0.0.1)"
equal "who was on none" 403 "$(statuses 127.0.0.9)"
start_clients busy 127.0.0.1
for round in 1 2 3 4 5 6; do
    app busy "" 2
    await "no list" 10 gives busy from 127.0.0.9 busy
    app busy "whiteList.sourceRange=127.0.0.1" 2
    await "a list" 10 gives 403 from 127.0.0.9 busy
done
stop_clients
equal "who may always pass, of $(asked) requests" 200 "$(statuses 127.0.0.1)"
# In the log a list is there before the route that names it, and goes after the one that does not.
place() { grep -n "$1" "$work/slotd.log" | tail -n 1 | cut -d: -f1; }
check "entries come first" [ "$(place 'add map .*/whitelist.map backend-busy~')" -lt "$(place 'set map .*/routes.map busy.test/ /.*+backend-busy~')" ]
check "entries go last" [ "$(place 'del map .*/whitelist.map backend-busy~')" -gt "$(place 'set map .*/routes.map busy.test/ pool')" ]
start_clients busy 127.0.0.1
for round in 1 2 3 4; do
    app busy "redirect.entryPoint=https" 2
    await "a redirect" 10 gives "302 https://busy.test:$https_port/x" from 127.0.0.9 busy
    app busy "" 2
    await "none" 10 gives busy from 127.0.0.9 busy
done
stop_clients
equal "served or redirected, of $(asked) requests" "200 302" "$(statuses 127.0.0.1)"
curl -sf -X DELETE "$marathon/v2/apps/list" >/dev/null
await "the app goes" 10 gives 404 from 127.0.0.2 list
await "and its list" 10 no_more whitelist '^backend-list~\|,backend-list~'
await "the files are in step" 10 file_is whitelist

# ---- one service of two apps: only who may use both ----

put_app /blue 1 '{"traefik.backend":"mix","traefik.frontend.rule":"Host:mix.test","traefik.frontend.whiteList.sourceRange":"127.0.0.0/28"}'
put_app /green 1 '{"traefik.backend":"mix","traefik.frontend.rule":"Host:mix.test","traefik.frontend.whiteList.sourceRange":"127.0.0.8/29,127.0.1.0/24"}'
mixed() { [ "$(from 127.0.0.9 mix)" != 403 ] && [ "$(from 127.0.0.1 mix)" = 403 ] && [ "$(from 127.0.1.1 mix)" = 403 ]; }
await "what both allow" 10 mixed
equal "that is told" "/blue:access-clash /green:access-clash" "$(problems backendmix)"

# ---- a HAProxy whose frontends know nothing of it ----

end_haproxy
sed '/^frontend http/,/^    use_backend/d; /^frontend https/,/^    use_backend/d' "$work/haproxy.cfg" >"$work/bare.cfg"
mv "$work/bare.cfg" "$work/haproxy.cfg"
run_haproxy
await "in step" 10 status_is_good
await "what is open is served" 10 gives open old open.test
for name in six moved secure auth; do equal "$name is not" 503 "$(old $name.test)"; done
equal "and each is told why" "/moved:access-map-missing /secure:access-map-missing /six:access-map-missing" "$(problems backend-six backend-moved backend-secure)"
