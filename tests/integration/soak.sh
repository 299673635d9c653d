#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory over many events: SOAK_EVENTS=1000000 tests/integration/soak.sh BUILD_DIR. See soak.py. No part of `./dev check`, for its length.
exec python3 "$(dirname "$0")/soak.py" "$1"
