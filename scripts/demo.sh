#!/bin/sh
# One app, two environments: `dev` in clear, `staging` with placeholders.
#
# Needs `envkit` and `python3` on the PATH. Ends with an error where the app does not see
# what it should. Makes .env.staging, and takes it away again; one that is there is left
# alone, and its values are not shown.

set -eu
cd "$(dirname "$0")/.."
unset ENVKIT_ENV ENVKIT_PROFILES STAGING_DB_URL STAGING_REDIS_URL
export PYTHONDONTWRITEBYTECODE=1

say() { printf '\n%s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# Shows a command, runs it, and fails unless its output is what is expected.
expect() {
    expected=$1
    shift
    printf '$ %s\n' "$*"
    output=$("$@") || fail "'$*' failed"
    printf '%s\n' "$output"
    [ "$output" = "$expected" ] || fail "expected instead:
$expected"
}

say "1. Development. profiles/dev.toml holds the values themselves."
expect "\
  NODE_ENV=development
  DATABASE_URL=postgresql://localhost:5432/myapp_dev
  REDIS_URL=redis://localhost:6379" \
    envkit exec --env dev -- python3 examples/app.py

say "2. Staging. profiles/staging.env names its secrets, and holds none:"
printf '$ cat profiles/staging.env\n'
cat profiles/staging.env

if [ -e .env.staging ] || [ -L .env.staging ]; then
    say "Your own .env.staging has them. The app gets them, and they are not shown here:"
    printf '$ envkit exec --env staging -- python3 examples/app.py > /dev/null\n'
    envkit exec --env staging -- python3 examples/app.py > /dev/null
    exit 0
fi

say "Without them the app is not started, and every one that is missing is named:"
printf '$ envkit exec --env staging -- python3 examples/app.py\n'
status=0
envkit exec --env staging -- python3 examples/app.py 2>&1 || status=$?
printf '(exit status %s)\n' "$status"
[ "$status" -eq 4 ] || fail "expected exit status 4"

say "3. The secrets go where git does not look, in .env.staging (mode 0600):"
trap 'rm -f .env.staging' EXIT
trap 'exit 1' HUP INT TERM
umask 077
cat > .env.staging << 'END'
STAGING_DB_URL=postgresql://app:made-up-by-the-demo@db.staging.internal:5432/myapp
STAGING_REDIS_URL=redis://cache.staging.internal:6379
END
printf '$ cat .env.staging\n'
cat .env.staging

say "The same app, the same command, the other environment:"
expect "\
  NODE_ENV=staging
  DATABASE_URL=postgresql://app:made-up-by-the-demo@db.staging.internal:5432/myapp
  REDIS_URL=redis://cache.staging.internal:6379" \
    envkit exec --env staging -- python3 examples/app.py

say "That is all: no server, no account. Next: README.md, or envkit --help."
