#!/bin/sh
# SPDX-License-Identifier: MIT
# A burst of events, an answer of 300 MB, an event of 64 MB, a HAProxy with 100,000 slots. See sizes.py.
exec python3 "$(dirname "$0")/sizes.py" "$1"
