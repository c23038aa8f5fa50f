#!/bin/sh
# Counts the instructions of the hot paths under valgrind and compares them with the committed
# counts: `instructions.sh check`, or writes them down anew: `instructions.sh accept`.
# Installs what is missing: valgrind where apt-get may be used, and gungraun's runner below target.
set -eu

what=${1:?"check or accept"}
baseline=benches/instructions/baseline.toml

# Counts are of one processor's instructions, and valgrind is not everywhere.
system="$(uname -s) $(uname -m)"
if [ "$system" != "Linux x86_64" ]; then
    echo "instructions: not counted on $system, the baseline is of Linux x86_64; CI counts them"
    [ "$what" = check ]
    exit
fi

if ! command -v valgrind >/dev/null; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo -n"
    fi
    # shellcheck disable=SC2086 # the command is words, or none
    if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
        echo "instructions are counted by valgrind, which is missing" >&2
        echo "install it, such as with: sudo apt-get install --no-install-recommends valgrind libc6-dbg" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    install() {
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
            install --no-install-recommends valgrind libc6-dbg
    }
    echo "installing valgrind"
    if ! install; then
        # shellcheck disable=SC2086
        $as_root apt-get -q -o DPkg::Lock::Timeout=120 update
        install
    fi
fi

# The runner must be of the library's version, to the last digit. It only starts valgrind and reads
# what that writes, so it is not worth an optimised build.
version=$(sed -n '/^name = "gungraun"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
tools=$(cd "$target" && pwd)/tools/gungraun-$version
export GUNGRAUN_RUNNER="$tools/bin/gungraun-runner"
if [ ! -x "$GUNGRAUN_RUNNER" ]; then
    echo "installing gungraun-runner $version into $tools"
    if ! CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --version "$version" --root "$tools" --no-track gungraun-runner; then
        echo "instructions are counted by gungraun-runner $version, which could not be installed" >&2
        exit 1
    fi
fi

# Without optimisation across crates the build is shorter. Counts are some per cent higher than those of
# a deployment, the same in the baseline and here.
export CARGO_PROFILE_BENCH_LTO=false

# A count is of this run or it is none: no summary of a former one may stay.
summaries=$tools/summaries.json
cargo bench --locked --package chat-instructions --bench hot_paths -- --output-format=json >"$summaries"
cargo run --quiet --locked --package chat-instructions --features comparison -- "$what" "$baseline" <"$summaries"
