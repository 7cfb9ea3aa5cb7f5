#!/bin/sh
# Run one app in two environments: `dev` with literals, `staging` with placeholders. Encrypt a
# file for git. Then rotate a secret while an app runs.
#
# Needs `envkit` and `python3` on the PATH. Fails if an app does not get the expected
# variables. Creates .env.staging and removes it again. If the file exists already, the demo
# leaves it alone and does not show its values. Everything else is in a temporary folder.

set -eu
cd "$(dirname "$0")/.."
repository=$PWD
unset ENVKIT_ENV ENVKIT_PROFILES STAGING_DB_URL STAGING_REDIS_URL
export PYTHONDONTWRITEBYTECODE=1

say() { printf '\n%s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# Show a command, run it, and fail if its output differs from the first argument.
expect() {
    expected=$1
    shift
    printf '$ %s\n' "$*"
    output=$("$@") || fail "'$*' failed"
    printf '%s\n' "$output"
    [ "$output" = "$expected" ] || fail "expected instead:
$expected"
}

# Wait until the app in the background has started this many times, and show its last line.
starts() {
    for _ in $(seq 150); do
        if [ "$(wc -l < output)" -ge "$1" ]; then
            tail -n 1 output
            return
        fi
        kill -0 "$app" 2> /dev/null || fail "the app has ended"
        sleep 0.1
    done
    fail "the app has not started $1 times"
}

app=
folder=
clean() {
    rm -f "$repository/.env.staging"
    if [ -n "$app" ]; then
        kill "$app" 2> /dev/null || true
        wait "$app" 2> /dev/null || true
    fi
    [ -z "$folder" ] || rm -rf "$folder"
}

say "1. Development: profiles/dev.toml contains the values."
expect "\
  NODE_ENV=development
  DATABASE_URL=postgresql://localhost:5432/myapp_dev
  REDIS_URL=redis://localhost:6379" \
    envkit exec --env dev -- python3 examples/app.py

say "2. Staging: profiles/staging.env names its secrets and contains none."
printf '$ cat profiles/staging.env\n'
cat profiles/staging.env

if [ -e .env.staging ] || [ -L .env.staging ]; then
    say "Your .env.staging has the secrets. The app gets them; this demo does not show them:"
    printf '$ envkit exec --env staging -- python3 examples/app.py > /dev/null\n'
    envkit exec --env staging -- python3 examples/app.py > /dev/null
    exit 0
fi

say "The secrets do not exist yet. envkit does not start the app, and lists what is missing:"
printf '$ envkit exec --env staging -- python3 examples/app.py\n'
status=0
envkit exec --env staging -- python3 examples/app.py 2>&1 || status=$?
printf '(exit status %s)\n' "$status"
[ "$status" -eq 4 ] || fail "expected exit status 4"

say "3. Store the secrets in .env.staging (mode 0600), which git ignores:"
trap clean EXIT
trap 'exit 1' HUP INT TERM
umask 077
cat > .env.staging << 'END'
STAGING_DB_URL=postgresql://app:made-up-by-the-demo@db.staging.internal:5432/myapp
STAGING_REDIS_URL=redis://cache.staging.internal:6379
END
printf '$ cat .env.staging\n'
cat .env.staging

say "Run the same app with the same command in staging:"
expect "\
  NODE_ENV=staging
  DATABASE_URL=postgresql://app:made-up-by-the-demo@db.staging.internal:5432/myapp
  REDIS_URL=redis://cache.staging.internal:6379" \
    envkit exec --env staging -- python3 examples/app.py

say "4. Commit a secret. This .env file has one, and git should see only ciphertext:"
folder=$(mktemp -d)
mkdir "$folder/shop" "$folder/shop/profiles"
cd "$folder/shop"
cat > profiles/prod.toml << 'END'
[variables]
STRIPE_KEY = "{{ STRIPE_KEY }}"
END
echo STRIPE_KEY=made-up-by-the-demo > .env.prod
for command in init encrypt; do
    printf '$ envkit env %s --env prod\n' "$command"
    envkit env "$command" --env prod
done
printf '$ cat .env.prod\n'
cut -c 1-100 .env.prod
! grep -q made-up-by-the-demo .env.prod || fail ".env.prod is not encrypted"

say "Apps get the value as before, if the private key is in .env.keys, which git ignores:"
expect STRIPE_KEY=made-up-by-the-demo envkit exec --env prod -- sh -c 'echo "STRIPE_KEY=$STRIPE_KEY"'

say "5. Rotate a secret of an app that is running. This profile says which, and how often:"
mkdir "$folder/profiles"
cat > "$folder/profiles/staging.toml" << 'END'
[variables]
HOOK_TOKEN = "{{ HOOK_TOKEN }}"

[rotation.hook-token]
secret = "dotenv:HOOK_TOKEN"
rotator = "random"
every = "30d"
grace = "1h"
END
echo HOOK_TOKEN=made-up-by-the-demo > "$folder/.env.staging"
cp "$repository/examples/worker.py" "$folder"
cd "$folder"
printf '$ cat profiles/staging.toml\n'
cat profiles/staging.toml

say "With --watch, envkit starts the app again when a value has changed:"
printf '$ envkit exec --env staging --watch --debounce 1 -- python3 worker.py &\n'
: > output
envkit exec --env staging --watch --debounce 1 -- python3 worker.py > output &
app=$!
starts 1
printf '$ envkit rotate\n'
envkit rotate
starts 2

new=$(envkit get HOOK_TOKEN --env staging)
[ "$new" != made-up-by-the-demo ] || fail "the token was not rotated"
tail -n 1 output | grep -qF "HOOK_TOKEN=$new" || fail "the app does not use the new token"
kill -0 "$app" 2> /dev/null || fail "the app has ended"
say "The app runs with the new token. The old one works until the grace period ends."

say "Done: you needed no server and no account. Next: README.md, or envkit --help."
