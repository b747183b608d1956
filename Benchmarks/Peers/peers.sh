#!/usr/bin/env bash
# Says which peers are installed that do a thing, one a line: a name, a tab, and the command that measures it.
#
#     peers.sh channels|skynet
#
# Debian: golang-go, libboost-fiber-dev, python3; from PyPI: gevent.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../.build/peers
mkdir -p "$build"

go_program() {
    command -v go >/dev/null || return 0
    go build -o "$build/$1-go" "$here/$1.go"
    printf 'Go\t%s\n' "$build/$1-go"
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
skynet) go_program skynet ;;
*)
    echo "usage: peers.sh channels|skynet" >&2
    exit 2
    ;;
esac
