#!/bin/sh
# SPDX-License-Identifier: MIT
# The simulator says what a real Marathon says: tests/sim/shapes.py takes the steps of the recorded scenarios again and compares.
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/../sim/shapes.py" "$1/tests/sim/marathon-sim" "$here/../fixtures/marathon"
