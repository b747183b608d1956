#!/usr/bin/env bash
# Says which peers are installed that do a thing, one a line: a name, a tab, and the command that measures it.
#
#     peers.sh channels|skynet
#
# Debian: golang-go, libboost-fiber-dev, librust-tokio-dev (and cargo, of any origin), python3; from PyPI: gevent.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../.build/peers
mkdir -p "$build"

go_program() {
    command -v go >/dev/null || return 0
    go build -o "$build/$1-go" "$here/$1.go"
    printf 'Go\t%s\n' "$build/$1-go"
}

# Debian keeps the sources of crates where cargo can be told to look for them.
tokio_program() {
    local crates=/usr/share/cargo/registry
    command -v cargo >/dev/null && compgen -G "$crates/tokio-1.*" >/dev/null || return 0
    local package=$build/$1-tokio
    mkdir -p "$package/.cargo"
    cat >"$package/.cargo/config.toml" <<END
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "$crates"
END
    cat >"$package/Cargo.toml" <<END
[package]
name = "$1"
version = "0.0.0"
edition = "2021"
[[bin]]
name = "$1"
path = "$here/$1.rs"
[dependencies]
tokio = { version = "1", features = ["rt", "rt-multi-thread"] }
END
    (cd "$package" && cargo build --quiet --release --offline) >&2
    printf 'Tokio\t%s\n' "$package/target/release/$1"
}

case ${1:-} in
channels)
    if echo '#include <boost/fiber/all.hpp>' | g++ -x c++ -fsyntax-only - 2>/dev/null; then
        g++ -std=c++17 -O2 -Wall -Wextra -Werror "$here/channels.cpp" \
            -lboost_fiber -lboost_context -pthread -o "$build/channels-boost"
        printf 'Boost.Fiber\t%s\n' "$build/channels-boost"
    fi
    go_program channels
    for library in gevent asyncio; do
        if python3 -c "import $library" 2>/dev/null; then
            printf '%s\tpython3 %s %s\n' "$library" "$here/channels.py" "$library"
        fi
    done
    ;;
skynet)
    # The first one is the reference.
    tokio_program skynet
    go_program skynet
    ;;
*)
    echo "usage: peers.sh channels|skynet" >&2
    exit 2
    ;;
esac
