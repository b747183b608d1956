#!/usr/bin/env bash
# What a crash says: the program ends by the signal of a fault, an overflow is named with its stack's size, and Swift's
# backtracer comes to an end and shows the frames of the fiber.
#
#   run.sh PROGRAM...     CrashProgram, of one or more builds
set -uo pipefail

output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed=0 failed=0
export SWIFT_BACKTRACE=enable=yes,interactive=no,color=no,timeout=20s
ulimit -c 0

# crash NAME SIGNALS PATTERN...: runs it, and looks for each pattern; one that begins with ! must not be there.
crash() {
    local name=$1 signals=$2 status missing= pattern
    shift 2
    timeout 60 "$program" "$name" >"$output" 2>&1
    status=$?
    [[ " $signals " == *" $((status - 128)) "* ]] || missing="status $status"
    for pattern in "$@" "crashed:"; do
        case $pattern in
            !*) grep -q -- "${pattern#!}" "$output" && missing+=" there: ${pattern#!}" ;;
            *) grep -q -- "$pattern" "$output" || missing+=" not there: $pattern" ;;
        esac
    done
    if [[ -z $missing ]]; then
        passed=$((passed + 1))
        echo "passed  $(basename "$(dirname "$program")") $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $program $name:$missing"
        grep -vE "^r[a-z0-9]+ 0x|diveDeeper" "$output" | sed 's/^/        /' | head -30
    fi
} 2>/dev/null

segv="11 7" ill="4 5"
for program; do
    full="diveDeeper"
    crash fiber "$segv" "stack overflow in fiber 'deep diver': its stack of 128 KiB is full" $full Fiber.runBody
    crash nameless "$segv" "stack overflow in a fiber without a name: its stack of 128 KiB" $full
    crash coroutine "$segv" "stack overflow in coroutine 'ping': its stack of 64 KiB is full" $full
    crash generator "$segv" "stack overflow in generator 'numbers': its stack of 64 KiB is full" $full overflowingGenerator
    crash generator-in-fiber "$segv" "stack overflow in generator 'numbers': its stack of 64 KiB" $full
    crash fiber-below-generator "$segv" "stack overflow in fiber 'reader': its stack of 128 KiB is full" $full
    crash rule "$ill" "!stack overflow" requireRule breakARule Fiber.runBody cctx_begin
    crash rule-in-coroutine "$ill" "!stack overflow" requireRule breakARule cctx_begin
    crash index "$ill" "!stack overflow" readPastTheEnd Fiber.runBody cctx_begin
    crash fault "$segv" "!stack overflow" readNothing Fiber.runBody cctx_begin
done

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
