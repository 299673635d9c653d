#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk that is full, and one that may only be read. It is a small one, mounted for this test alone. See limits.py.
if ! unshare -m true 2>/dev/null; then
    echo "skipped: only root may mount a disk"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
exec unshare -m python3 "$(dirname "$0")/limits.py" "$1" disk
