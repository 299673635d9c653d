#!/bin/sh
# Makes ./configure out of configure.ac; needed once after a clone.
set -e
cd "$(dirname "$0")"
for tool in autoreconf aclocal automake pkg-config; do
    command -v "$tool" >/dev/null 2>&1 && continue
    echo "autogen.sh: $tool is missing: install autoconf, automake and pkg-config (Fedora: pkgconf-pkg-config)" >&2
    exit 1
done
exec autoreconf --install --force "$@"
