#!/bin/sh
# SPDX-License-Identifier: MIT
# Marathon's side is cut, stopped, slowed down and refused under load. See cuts_marathon.py.
exec python3 "$(dirname "$0")/cuts_marathon.py" "$1"
