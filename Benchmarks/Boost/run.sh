#!/usr/bin/env bash
# Compiles and runs switch.cpp where Boost.Context is installed (Debian: libboost-context-dev).
#
#   run.sh [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/.build/boost

if ! echo '#include <boost/context/detail/fcontext.hpp>' | g++ -x c++ -fsyntax-only - 2>/dev/null; then
    echo "skipped: the switch beside Boost.Context (libboost-context-dev is not installed)"
    exit 0
fi
mkdir -p "$build"
make --no-print-directory -s -C "$root/Tests/C/context" library BUILD="$build" MODE=native
make --no-print-directory -s -C "$root" stage >/dev/null
stage=$root/.build/stage/usr
export PKG_CONFIG_PATH=$stage/lib/pkgconfig
read -ra library <<<"$(pkg-config --cflags --libs ringlet) -Wl,-rpath,$stage/lib"
g++ -std=c++17 -O2 -Wall -Wextra -Werror "$here/switch.cpp" "$build/native/libccontext.a" "${library[@]}" \
    -lboost_context -pthread -o "$build/switch"
"$build/switch" "${1:-9}"
