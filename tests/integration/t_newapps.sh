#!/bin/sh
# SPDX-License-Identifier: MIT
# 50 apps never seen before take traffic, roll and go at random, under load, on leased backends and on backends made at run time.
# See newapps.sh.
exec sh "$(dirname "$0")/newapps.sh" "$1"
