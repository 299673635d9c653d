#!/bin/sh
# SPDX-License-Identifier: MIT
# No file is left to open. See limits.py.
exec python3 "$(dirname "$0")/limits.py" "$1" files
