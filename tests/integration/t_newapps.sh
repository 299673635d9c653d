#!/bin/sh
# SPDX-License-Identifier: MIT
# 50 apps never seen before take traffic, roll and go at random, on leased backends, under load. See newapps.py.
exec python3 "$(dirname "$0")/newapps.py" "$1"
