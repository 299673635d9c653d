#!/bin/sh
# SPDX-License-Identifier: MIT
# slotctl route: no daemon; what it decides over a saved answer, one request or many, and what it says to wrong words.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

golden=$here/../fixtures/golden-routes
route() { "$BUILD/slotctl" route "$@" >"$work/out" 2>"$work/err"; }
says() { grep -qF -- "$1" "$work/out"; }
member() { python3 -c "import json,sys; print(json.load(open('$work/out'))$1)"; }

# ---- many: what a real Traefik decided ----

for folder in "$golden"/*/; do
    route --apps "$folder/apps.json" --requests "$folder/decisions.jsonl"
    equal "$folder: exit code" 0 $?
    different=$(python3 - "$work/out" "$folder/decisions.jsonl" <<'END'
import json, sys

got, wanted = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
keys = ("service", "backend_path", "prefix")
assert len(got) == len(wanted) == 1200
print(sum(any(a[key] != b[key] for key in keys) for a, b in zip(got, wanted)))
END
    )
    equal "$folder: decisions that differ" 0 "$different"
done

# ---- one ----

cat >"$work/apps.json" <<'END'
{"apps": [
 {"id": "/v1", "instances": 1, "labels": {"traefik.frontend.rule": "Host:a.test;PathPrefixStrip:/v1;Method:GET"}, "tasks": []},
 {"id": "/old", "instances": 1, "labels": {"traefik.frontend.rule": "Host:a.test;Path:/old/"}, "tasks": []},
 {"id": "/bad", "instances": 1, "labels": {"traefik.frontend.rule": "Host:a.test;HeadersRegexp:X-A,(?=x)"}, "tasks": []},
 {"id": "/head", "instances": 1, "labels": {"traefik.frontend.rule": "Host:b.test;Headers:X-A,b",
  "traefik.frontend.whiteList.sourceRange": "10.0.0.0/8"}, "tasks": []}]}
END
route GET 'http://A.test:8080/v1/x?q=1' --apps "$work/apps.json" -o json
equal "one request" 0 $?
equal "its service" backend-v1 "$(member '["service"]')"
equal "its path" '/x?q=1' "$(member '["backend_path"]')"
equal "its prefix" /v1 "$(member '["prefix"]')"
equal "who was looked at" 1 "$(member '["candidates"].__len__()')"
check "a rule that cannot be taken is named" grep -q 'backend-bad: no rule: HeadersRegexp' "$work/err"
route POST http://a.test/v1/x --apps "$work/apps.json" -o json
equal "no rule matches" None "$(member '["service"]')"
equal "and why" "Method:GET" "$(member '["candidates"][0]["failed"]')"
route GET http://a.test/old --apps "$work/apps.json" -o json
equal "a slash at the end" "redirect /old/" "$(member '["verdict"]') $(member '["location"]')"
route GET http://b.test/ -H 'x-a: b' --src 10.1.2.3 --apps "$work/apps.json"
check "text: a route that is not open to everybody" says "verdict    guarded"
check "text: and its rule" says "rule       Host:b.test;Headers:X-A,b"
route GET /x -H 'Host: a.test' --apps "$work/apps.json"
check "a host from a header" says "verdict    none"

# ---- words ----

bad_call() { # TEXT WORD...
    text=$1
    shift
    route "$@"
    equal "$text: exit code" 2 $?
    equal "$text: nothing on standard output" "" "$(cat "$work/out")"
}
bad_call "no words"
bad_call "no answer of Marathon" GET http://a.test/
bad_call "no URL" GET --apps "$work/apps.json"
bad_call "an option without a value" GET http://a.test/ --apps
bad_call "an unknown option" GET http://a.test/ --apps "$work/apps.json" --what x
bad_call "one and many" GET http://a.test/ --apps "$work/apps.json" --requests "$work/apps.json"

failed_call() { # TEXT COMPLAINT WORD...
    text=$1
    complaint=$2
    shift 2
    route "$@"
    equal "$text: exit code" 1 $?
    check "$text: $(cat "$work/err")" grep -qF -- "$complaint" "$work/err"
}
failed_call "a source that is no address" "src is no IP address" GET http://b.test/ --src b --apps "$work/apps.json"
failed_call "a header that is none" "a header is" GET http://b.test/ -H b --apps "$work/apps.json"
failed_call "no host" "the URL has no host" GET /x --apps "$work/apps.json"
failed_call "a file that is not there" "cannot be read" GET http://b.test/ --apps "$work/none"
echo '{"apps": 1' >"$work/broken"
failed_call "an answer that is none" "$work/broken" GET http://b.test/ --apps "$work/broken"
printf '{"host": "b.test"}\n{"host": 1}\n' >"$work/requests"
failed_call "a request that is none" ":2: host must be a string" --apps "$work/apps.json" --requests "$work/requests"
equal "the one before it is decided" 1 "$(wc -l <"$work/out")"
