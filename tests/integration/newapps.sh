#!/bin/sh
# SPDX-License-Identifier: MIT
# newapps.py with leased backends, and again with backends that are made at run time where HAProxy can (3.4 and later);
# NEWAPPS_BACKENDS=pools or dynamic is for one of them. Use: newapps.sh BUILD [--demo].
ways=${NEWAPPS_BACKENDS:-pools}
can_make() {
    "${HAPROXY:-$(command -v haproxy || echo /usr/sbin/haproxy)}" -v | sed -n 's/^HA-*Proxy version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' |
        awk '{ able = $1 > 3 || ($1 == 3 && $2 >= 4) } END { exit !able }'
}
[ -n "${NEWAPPS_BACKENDS:-}" ] || ! can_make || ways="pools dynamic"
code=0
for way in $ways; do
    NEWAPPS_BACKENDS=$way python3 "$(dirname "$0")/newapps.py" "$@" || code=1
done
exit $code
