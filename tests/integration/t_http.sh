#!/bin/sh
# SPDX-License-Identifier: MIT
# control.http: where it listens, over reloads, and clients of every bad kind. See http_clients.py.
exec python3 "$(dirname "$0")/http_clients.py" "$1"
