#!/usr/bin/env bash
# The Swift suite under a sanitizer:
#
#     run.sh address|thread [options of swift test]
#
# Tests run one after another: a program is several times as slow under a sanitizer, and what waits with
# a limit would wait for the others. Exit tests inherit the environment and with it all of this.
set -euo pipefail
cd "$(dirname "$0")/../.."

sanitizer=$1
shift
scratch=.build/$sanitizer

# A fault is left to the process, whose tests say how it must end; it is a failure of any other test as well.
common=handle_segv=0:handle_sigbus=0
options=()
case $sanitizer in
address)
    export ASAN_OPTIONS=detect_leaks=1:$common
    # And UBSan for what is C, all of it: the part that speaks to Swift's runtime needs Swift's clang. Its runtime is
    # in that of AddressSanitizer.
    options=(-Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
    preload=
    ;;
thread)
    # Nobody reads what exit tests say, so reports go to files. Tests of fork start threads in the child, which the
    # sanitizer says it does not support.
    reports=$PWD/$scratch/reports
    rm -rf "$reports"
    mkdir -p "$reports"
    export TSAN_OPTIONS=suppressions=$PWD/Tests/Sanitizers/tsan.supp:log_path=$reports/of:die_after_fork=0:$common
    preload=$PWD/$scratch/runtime.so
    clang -shared -fPIC -O1 -fuse-ld=lld -Wall -Wextra -Werror -o "$preload" \
        Tests/Sanitizers/mutex.c Tests/Sanitizers/continuation.c
    ;;
*)
    echo "usage: $0 address|thread [options of swift test]" >&2
    exit 2
    ;;
esac

swift build --build-tests --sanitize="$sanitizer" "${options[@]}" --scratch-path "$scratch" 2>&1 |
    grep -v "Cannot export local symbol"
# The histories of the random tests are as long as they are many; a few show as much to a sanitizer.
export RINGLET_STRESS_ROUNDS=${RINGLET_STRESS_ROUNDS:-4}
status=0
LD_PRELOAD=$preload swift test --skip-build --no-parallel --disable-xctest \
    --sanitize="$sanitizer" "${options[@]}" --scratch-path "$scratch" "$@" || status=$?
for report in ${reports:+"$reports"/*}; do
    if [[ -f $report ]]; then
        cat "$report"
        status=1
    fi
done
exit "$status"
