#!/bin/sh
# SPDX-License-Identifier: MIT
# slotd, HAProxy and Marathon are stopped and killed at random under load. See chaos.py.
exec python3 "$(dirname "$0")/chaos.py" "$1"
