#!/bin/sh
# Install what `make test-extra` needs in addition to Python: Chromium under any name, systemd,
# the shells, podman, Node with its dotenv and dotenvx, age, and localedef with the sources of
# locales.

set -eu

packages="chromium fonts-dejavu-core"
for name in chromium chromium-browser google-chrome; do
    command -v "$name" > /dev/null && packages=
done
command -v systemd-analyze > /dev/null || packages="$packages systemd"
[ -e /usr/share/i18n/locales/de_DE ] && command -v localedef > /dev/null \
    || packages="$packages libc-bin locales"
command -v podman > /dev/null || packages="$packages podman crun conmon"
command -v node > /dev/null || packages="$packages nodejs"
command -v npm > /dev/null || packages="$packages npm"
command -v age > /dev/null || packages="$packages age"
command -v ssh-keygen > /dev/null || packages="$packages openssh-client"
for shell in dash fish zsh; do
    command -v "$shell" > /dev/null || packages="$packages $shell"
done

install_dotenv() {
    [ -d .venv/node_modules/dotenv ] && [ -d .venv/node_modules/@dotenvx/dotenvx ] \
        || npm install --silent --no-audit --prefix .venv dotenv@16 @dotenvx/dotenvx@2
}

[ -n "$packages" ] || { install_dotenv; exit; }

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -qq
# shellcheck disable=SC2086 # they are several
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends \
    $packages > /dev/null
install_dotenv
