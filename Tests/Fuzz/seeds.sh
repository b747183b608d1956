#!/usr/bin/env bash
# Makes inputs to start from, the same each time: seeds.sh FOLDER COUNT.
set -euo pipefail
if [[ -d $1 ]]; then exit 0; fi
mkdir -p "$1"
awk -v count="$2" 'BEGIN {
    srand(1)
    for (number = 0; number < count; number++) {
        bytes = ""
        for (i = 0; i < 16 + 6 * (number % 60); i++) {
            # Small numbers mean more than large ones to most decoders.
            kind = int(rand() * 3)
            bytes = bytes sprintf("\\%03o", int(rand() * (kind == 0 ? 256 : kind == 1 ? 32 : 8)))
        }
        print bytes
    }
}' | {
    number=0
    while read -r bytes; do
        printf "%b" "${bytes//\\/\\0}" >"$1/seed-$number"
        number=$((number + 1))
    done
}
