#!/bin/sh
# SPDX-License-Identifier: MIT
# The canary demo comes to its end: shares as they were asked for, no request lost, no reload.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

"$here/demo_canary" "$BUILD" >"$work/demo.log" 2>&1
equal "the demo's exit code" 0 $?
equal "shares that it shows" 9 "$(grep -c '% green$' "$work/demo.log")"
check "no request failed" grep -q ' 0 failed requests, 0 reloads, 0 shares' "$work/demo.log"
