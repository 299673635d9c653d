#!/bin/sh
# SPDX-License-Identifier: MIT
# A Marathon that behaves as the simulator does not: see odd_marathon.py.
exec python3 "$(dirname "$0")/odd_marathon.py" "$1"
