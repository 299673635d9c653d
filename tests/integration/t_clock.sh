#!/bin/sh
# SPDX-License-Identifier: MIT
# Somebody sets the clock. See clock.py.
exec python3 "$(dirname "$0")/clock.py" "$1"
