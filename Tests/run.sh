#!/usr/bin/env bash
# The Swift suite, which has been built, a few tests at a time:
#
#     run.sh [options of the testing library, such as --filter TimerWheel]
#
# `swift test` begins all of its tests at once, whose schedulers' threads are then in each other's way: two minutes
# on two cores, and one with this. It passes no option on that would bound them, so the program is called itself.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -t 1 ]] || export NO_COLOR=1
width=${RINGLET_TEST_WIDTH:-4}
exec "$(swift build --show-bin-path)/ringletPackageTests.xctest" --testing-library swift-testing \
    --experimental-maximum-parallelization-width "$width" "$@"
