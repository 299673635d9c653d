#!/bin/sh
# SPDX-License-Identifier: MIT
# haproxy-cfg/tls.cfg by real TLS clients: certificates for several hosts, requests routed by host and path, and server names that pass
# through on the same port, while apps come and go. A HAProxy without TLS passes through, and that is what is tried there.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps" "$work/certs"
example=$here/../../haproxy-cfg/tls.cfg
edge_port=$(free_port)
low_port=$(free_port)
if "$HAPROXY" -vv | grep -q '+OPENSSL'; then has_tls=yes; else has_tls=; fi

# A private authority, and certificates that it signs.
quiet() { "$@" >>"$work/openssl.log" 2>&1; }
quiet openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout "$work/ca.key" -out "$work/ca.pem"
certificate() { # FILE NAME...
    pem=$1
    shift
    quiet openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$work/key.pem" -out "$work/request.pem"
    printf 'subjectAltName=%s\n' "$(for name in "$@"; do printf 'DNS:%s,' "$name"; done | sed 's/,$//')" >"$work/names"
    quiet openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 -extfile "$work/names" -out "$work/signed.pem"
    cat "$work/signed.pem" "$work/key.pem" >"$pem"
}
certificate "$work/certs/web.pem" web.test api.test
certificate "$work/certs/wild.pem" '*.wild.test'
certificate "$work/mq.pem" mq.test '*.mq.test' api.test
python3 "$here/tls_stub.py" "$work/mq.pem" "mq itself" >"$work/stub.port" 2>"$work/stub.log" &
pids="$pids $!"
await "the task with a certificate of its own listens" 10 [ -s "$work/stub.port" ]
stub=$(cat "$work/stub.port")

write_haproxy_cfg() {
    sed -e "s|/var/lib/slotd/maps|$maps|g; s|/run/slotd|$work|; s|/run/haproxy/admin.sock|$work/haproxy.sock|; s|user root group haproxy ||" \
        -e "s|/etc/haproxy/certs|$work/certs|; s|/run/haproxy/slotd-https|$work/slotd-https|; s|bind \*:443|bind 127.0.0.1:$edge_port|; s|bind \*:10000-10099|bind 127.0.0.1:$low_port|" \
        -e 's|^    option forwardfor|&\n    http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]" if { path /who }|' "$example" >"$work/haproxy.cfg"
    # Without TLS there is nobody behind the passthrough.
    [ -n "$has_tls" ] || sed -i '/^frontend https /,/^    use_backend/d' "$work/haproxy.cfg"
}
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 100
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/sni.map" ]
start_haproxy
await "and the state file" 10 [ -s "$work/haproxy.state" ]
check "the example is valid" sh -c "'$HAPROXY' -c -f '$work/haproxy.cfg' >'$work/valid.log' 2>&1 && ! grep -Eq 'WARNING|ALERT' '$work/valid.log'"

# The first word of the answer, the status, or `refused` where TLS does not come about.
ask() { # SERVER-NAME PATH [OPTION...]
    name=$1
    path=$2
    shift 2
    code=$(curl -s -m 10 --cacert "$work/ca.pem" --resolve "$name:$edge_port:127.0.0.1" -o "$work/answer" -w '%{http_code}' "$@" "https://$name:$edge_port$path")
    case $code in 200) sed 's/[._].*//' "$work/answer" ;; 000) echo refused ;; *) echo "$code" ;; esac
}
answers() { [ "$(ask "$1" "$2")" = "$3" ]; }
shown() { # SERVER-NAME: whose certificate is shown
    echo | openssl s_client -connect "127.0.0.1:$edge_port" $([ -n "$1" ] && echo "-servername $1" || echo -noservername) -CAfile "$work/ca.pem" 2>/dev/null | openssl x509 -noout -subject 2>/dev/null | sed 's/.*= *//'
}
rule() { put_app "/$1" "$2" "{\"traefik.frontend.rule\":\"$3\"}"; }
pass_through() { put_app /mq 1 "{\"traefik.protocol\":\"tcp\",\"traefik.port\":\"$stub\",\"traefik.tcp.sni\":\"$1\"}"; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }

pass_through "mq.test,*.mq.test"
await "a server name passes through to its task" 10 answers mq.test / "mq itself"
equal "whose certificate it is" mq.test "$(shown mq.test)"
equal "any name one level below" "mq itself" "$(ask a.mq.test /)"
equal "without case" "mq itself" "$(ask MQ.test /)"
equal "no deeper" refused "$(ask a.b.mq.test /)"
equal "sni.map" "*.mq.test backend-mq,mq.test backend-mq," "$(in_map sni)"
equal "a hello in pieces" answered "$(python3 "$here/hello.py" "$edge_port" pieces mq.test)"
equal "names on a port of the range" "mq itself" "$(curl -s --cacert "$work/ca.pem" --resolve "mq.test:$low_port:127.0.0.1" "https://mq.test:$low_port/")"

if [ -n "$has_tls" ]; then
    rule web 2 "Host:web.test,deep.wild.test"
    rule shop 2 "Host:web.test,api.test;PathPrefix:/shop"
    await "a host with its certificate here" 10 answers web.test / web
    await "routed by its path too" 10 answers web.test /shop/x shop
    equal "another host of the same certificate" shop "$(ask api.test /shop)"
    equal "which has no other path" 404 "$(ask api.test /)"
    equal "the certificate shown" web.test "$(shown web.test)"
    equal "a host of a wildcard" web "$(ask deep.wild.test /)"
    equal "its certificate" "*.wild.test" "$(shown deep.wild.test)"
    equal "HTTP/1.1 too" web "$(ask web.test / --http1.1)"
    equal "who asks is known behind the passthrough" "127 $edge_port" "$(ask web.test /who | cut -c1-3) $(sed 's/.* //' "$work/answer")"
    # Strict: no name, no certificate for it.
    equal "a name that nobody has" refused "$(ask nobody.test /)"
    equal "which is shown no certificate" "" "$(shown nobody.test)"
    equal "no name" "" "$(shown "")"
    # Server name and host have to be one.
    equal "another host of the certificate" 421 "$(ask web.test /shop -H 'Host: api.test')"
    equal "of another certificate" 421 "$(ask web.test / -H 'Host: deep.wild.test')"
    equal "one that passes through" 421 "$(ask web.test / -H 'Host: mq.test')"
    equal "over HTTP/1.1" 421 "$(ask web.test / --http1.1 -H 'Host: mq.test')"
    equal "the same with port, capitals and a last dot" web "$(ask web.test / -H "Host: WEB.test.:$edge_port")"
    # Whoever asks for another app's host, by its name or by a wildcard, does not get its connections.
    problems() { ctl -o json services | python3 -c "import json,sys; print(' '.join(sorted(p['app'] + ':' + p['code'] for p in json.load(sys.stdin)['problems'])))"; }
    problems_are() { [ "$(problems)" = "$1" ]; }
    pass_through "mq.test,api.test,*.wild.test"
    await "names of other apps' rules are told" 10 problems_are "/mq:tcp-name-of-rule /mq:tcp-name-of-rule"
    check "which, whose, and what to do" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services | tr -s ' \n' ' ' | grep -q 'traefik.tcp.sni api.test leads nowhere: api.test is a host of the app /shop'"
    equal "sni.map has the one that is nobody's host" "mq.test backend-mq," "$(in_map sni)"
    equal "its requests are the host's" shop "$(ask api.test /shop)"
    equal "and the other's" web "$(ask deep.wild.test /)"
    equal "the former name is refused" refused "$(ask a.mq.test /)"
    # It passes through once the rule is another, and is the host's again with the rule.
    rule shop 2 "Host:web.test;PathPrefix:/shop"
    await "api.test passes through" 10 answers api.test /shop "mq itself"
    equal "its neighbour does not" shop "$(ask web.test /shop)"
    await "one is told still" 10 problems_are "/mq:tcp-name-of-rule"
    rule shop 2 "Host:web.test,api.test;PathPrefix:/shop"
    await "and is back" 10 answers api.test /shop shop
    equal "sni.map then" "mq.test backend-mq," "$(in_map sni)"
    # A slotd that finds such a key in the map takes it out.
    cli "add map $maps/sni.map api.test backend-mq" >/dev/null
    stop_slotd
    start_slotd
    await "a key of another hand goes" 10 eval '[ "$(in_map sni)" = "mq.test backend-mq," ]'
    pass_through "mq.test"
    await "nothing is wrong any more" 10 problems_are ""
    await "the one that stayed passes through" 10 answers mq.test / "mq itself"
else
    skip "termination: this HAProxy has no TLS"
    pass_through "mq.test"
    await "names change" 10 answers a.mq.test / refused
fi

# A reload keeps the inner socket, and both ways.
adopted=$(grep -c 'adopted HAProxy' "$work/slotd.log")
kill -USR2 "$(cat "$work/haproxy.pid")"
await "adopted after the reload" 10 eval '[ "$(grep -c "adopted HAProxy" "$work/slotd.log")" = "$((adopted + 1))" ]'
await "in step" 10 status_is_good
await "it passes through" 10 answers mq.test / "mq itself"
[ -z "$has_tls" ] || equal "and is routed" "web shop" "$(ask web.test /) $(ask web.test /shop)"
equal "nothing was refused by HAProxy" "" "$(grep -i 'cannot bind' "$work/haproxy.log")"
curl -sf -X DELETE "$marathon/v2/apps/mq" >/dev/null
await "with its app the name goes" 10 eval '[ -z "$(in_map sni)" ]'
equal "and leads nowhere" refused "$(ask mq.test /)"
