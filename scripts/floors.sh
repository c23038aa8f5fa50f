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

network="hyper hyper-util axum tokio-tungstenite tungstenite"
databases="sqlx sqlx-core redis async-nats"
other_crypto="ring openssl openssl-sys native-tls"

# shellcheck disable=SC2086 # the lists are words
{
    forbid chat-proto tokio async-trait tracing chat-core $network $databases $other_crypto
    forbid chat-core chat-store chat-auth chat-ws chat-http chat-server $network $databases $other_crypto
    forbid chat-store chat-auth chat-ws chat-http chat-server $network $other_crypto
    forbid chat-auth chat-store chat-ws chat-http chat-server $network $databases $other_crypto
    forbid chat-ws chat-store chat-auth chat-http chat-server axum $databases $other_crypto
    forbid chat-http chat-store chat-auth chat-ws chat-server tokio-tungstenite $databases $other_crypto
    forbid chat-server $other_crypto
    forbid chat-test-servers tokio chat-proto chat-core $network $databases $other_crypto
}

[ "$failed" -eq 0 ] && echo "floors: dependencies only point down"
exit "$failed"
