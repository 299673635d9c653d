#!/bin/sh
# SPDX-License-Identifier: MIT
# What /metrics and /readyz say follows what is true. See metrics.py.
exec python3 "$(dirname "$0")/metrics.py" "$1"
