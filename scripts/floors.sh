#!/bin/sh
# Proves that dependencies only point down: the vocabulary knows no runtime, the engine knows no
# database and no network, and no adapter knows another.
set -eu

failed=0

# The names of all crates that a crate is built with, through however many others.
built_with() {
    cargo tree --locked --package "$1" --edges normal --all-features --prefix none --format '{p}' |
        cut -d ' ' -f 1 | sort -u
}

# forbid CRATE NAME...: fails when the crate is built with one of the names.
forbid() {
    crate=$1
    shift
    names=$(built_with "$crate")
    for name in "$@"; do
        if printf '%s\n' "$names" | grep -qx "$name"; then
            echo "floors: $crate must not depend on $name" >&2
            failed=1
        fi
    done
}

# floor3 CRATE: the adapters beside this one.
floor3() {
    for adapter in chat-store chat-cluster chat-auth chat-ws chat-http; do
        [ "$adapter" = "${1-}" ] || echo "$adapter"
    done
}

network="hyper hyper-util axum tokio-tungstenite tungstenite"
databases="sqlx sqlx-core"
brokers="redis async-nats"
other_crypto="ring openssl openssl-sys native-tls"

# shellcheck disable=SC2086 # the lists are words
{
    forbid chat-proto tokio async-trait tracing chat-core $network $databases $brokers $other_crypto
    forbid chat-core $(floor3) chat-server $network $databases $brokers $other_crypto
    forbid chat-store $(floor3 chat-store) chat-server $network $brokers $other_crypto
    forbid chat-cluster $(floor3 chat-cluster) chat-server $network $databases $other_crypto
    forbid chat-auth $(floor3 chat-auth) chat-server $network $databases $brokers $other_crypto
    forbid chat-ws $(floor3 chat-ws) chat-server axum $databases $brokers $other_crypto
    forbid chat-http $(floor3 chat-http) chat-server tokio-tungstenite $databases $brokers $other_crypto
    forbid chat-server $other_crypto
    # What counts instructions is built in it, for each run of CI.
    forbid chat-bench-room $(floor3) chat-server $network $databases $brokers $other_crypto
    forbid chat-test-servers tokio chat-proto chat-core $network $databases $brokers $other_crypto
}

[ "$failed" -eq 0 ] && echo "floors: dependencies only point down"
exit "$failed"
