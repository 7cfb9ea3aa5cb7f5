#!/bin/sh
# What `make test-extra` needs beside Python: a Chromium of any name.

set -eu

for name in chromium chromium-browser google-chrome; do
    command -v "$name" > /dev/null && exit 0
done

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends \
    chromium fonts-dejavu-core > /dev/null
