#!/bin/sh
# SPDX-License-Identifier: MIT
# Other pools at a reload of slotd, other backends at a reload of HAProxy, two HAProxies, and leases.map in foreign hands. See pools.py.
exec python3 "$(dirname "$0")/pools.py" "$1"
