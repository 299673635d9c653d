#!/bin/sh
# SPDX-License-Identifier: MIT
# HAProxy's connection is cut behind every so many bytes of what is said on it, under load without retries. See cuts.py.
exec python3 "$(dirname "$0")/cuts.py" "$1"
