#!/bin/sh
# SPDX-License-Identifier: MIT
# Marathon behind TLS: its certificate is checked against ca_file, and ours is shown to it.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 5"
start_sim --starting-ms 10 --running-ms 10
put_app /web 2
start_haproxy

# A private authority, a server's and a client's certificate.
quiet() { "$@" >>"$work/openssl.log" 2>&1; }
quiet openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout "$work/ca.key" -out "$work/ca.pem"
for name in localhost client; do
    quiet openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$work/$name.key" -out "$work/$name.csr"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$work/ext"
    quiet openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 -extfile "$work/ext" -out "$work/$name.pem"
done
cat "$work/localhost.key" "$work/localhost.pem" >"$work/server.pem"
tls_port=$(free_port)
socat "OPENSSL-LISTEN:$tls_port,bind=127.0.0.1,reuseaddr,fork,cert=$work/server.pem,cafile=$work/ca.pem,verify=1" "TCP:127.0.0.1:$sim_port" 2>"$work/socat.log" &
pids="$pids $!"
endpoints="\"https://127.0.0.1:$tls_port\""

# Without our authority the server is not believed.
start_slotd
await "an unknown authority is said" 10 status_says "certificate"
check "nothing was placed" slots_are backend-web ready 0
stop_slotd

rm "$work/slotd.conf"
marathon_extra="ca_file = \"$work/ca.pem\"; cert_file = \"$work/client.pem\"; key_file = \"$work/client.key\";"
start_slotd
await "with authority and certificate it is in step" 10 status_is_good
await "and the tasks serve" 10 slots_are backend-web ready 2
