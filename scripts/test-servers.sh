#!/bin/sh
# Makes sure that the servers which the tests start are installed: Postgres, PgBouncer, NATS, Redis.
# Installs what is missing where apt-get may be used; says what is missing where it may not.
set -eu

# installed PROGRAM...: whether all of them are in one folder where the tests look, too.
installed() {
    for folder in $(printf '%s' "$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin /usr/sbin /usr/local/sbin \
        /usr/local/bin /usr/bin /usr/local/pgsql/bin /opt/homebrew/bin /opt/homebrew/opt/postgresql@*/bin; do
        for program in "$@"; do
            [ -x "$folder/$program" ] || continue 2
        done
        return 0
    done
    return 1
}

missing=
installed initdb postgres psql pg_isready pg_basebackup || missing="$missing postgresql"
installed pgbouncer || missing="$missing pgbouncer"
installed nats-server || missing="$missing nats-server"
installed redis-server || missing="$missing redis-server"
installed redis-cli || missing="$missing redis-tools"
if [ -z "$missing" ]; then
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
fi
# shellcheck disable=SC2086 # the command is words, or none
if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
    echo "the tests start servers of their own, and these packages are missing:$missing" >&2
    echo "install them, such as with: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# Each test run makes clusters of its own. Nobody needs the one that Debian makes, and starts, by
# itself; but whoever has had Postgres before decides that alone.
settings=/etc/postgresql-common/createcluster.d
if ! dpkg-query --show postgresql-common >/dev/null 2>&1 && [ ! -e "$settings" ]; then
    $as_root mkdir -p "$settings"
    echo "create_main_cluster = false" | $as_root tee "$settings/without-main.conf" >/dev/null
fi

# Nor does anybody need the other servers as services. Offline, systemctl starts none of them; the
# next start of the machine does, unless they are disabled, and that does not disturb the tests.
# shellcheck disable=SC2086 # packages and command are words
install() {
    $as_root env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get -q -y -o DPkg::Lock::Timeout=120 \
        install --no-install-recommends $missing
}

echo "installing$missing"
if ! install; then
    $as_root apt-get -q -o DPkg::Lock::Timeout=120 update
    install
fi
