#!/bin/sh
# Runs the test programs that are named, and the checks that need no program. One line per test.

passed=0
failed=0
skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# test NAME COMMAND...: the command's status decides; what it says is shown when it failed.
test_case() {
    name=$1
    shift
    timeout "$LIMIT" "$@" >"$output" 2>&1
    case $? in
        0) passed=$((passed + 1)); echo "passed  $name" ;;
        77) skipped=$((skipped + 1)); echo "skipped $name: $(cat "$output")" ;;
        *) failed=$((failed + 1)); echo "FAILED  $name"; sed 's/^/        /' "$output" ;;
    esac
}

shared=$PREFIX/lib/libringlet.so
header=$PREFIX/include/ringlet.h

compiles_alone() {
    command -v "$1" >/dev/null || { echo "there is no $1"; return 77; }
    "$1" -std="$2" -Wall -Wextra -pedantic -Werror -fsyntax-only -x "$3" "$header"
}

exports() {
    # The table for debuggers is no part of the contract.
    nm -D --extern-only --defined-only "$shared" | awk '$2 != "A" && $3 !~ /^ringlet_debug/ { sub(/@.*/, "", $3); print $3 }'
}

declared() { grep -o 'ringlet_[a-z_]*(' "$header" | tr -d '(' | sort -u; }

debuggers_find_the_table() { nm -D --defined-only "$shared" | grep -q ' ringlet_debug'; }

exports_only_the_prefix() { ! exports | grep -v '^ringlet_'; }

exports_what_the_header_declares() {
    # Comments name functions too, but none that is not declared.
    exports | sort >"$output.exports"
    declared | diff "$output.exports" -
    status=$?
    rm -f "$output.exports"
    return $status
}

tests_call_every_function() {
    for function in $(declared); do
        grep -q "$function(" ./*.c ./*.h || { echo "$function is not called"; return 1; }
    done
}

has_the_soname() { readelf -d "$shared" | grep -q 'SONAME.*\[libringlet\.so\.0\]'; }

needs_no_swift() {
    ldd "$shared" || return 1
    ! { ldd "$shared"; readelf -d "$shared" | grep -E 'RUNPATH|RPATH'; } | grep -i swift
}

archive_shows_only_the_prefix() {
    ! nm --extern-only --defined-only "$PREFIX/lib/libringlet.a" | awk 'NF == 3 { print $3 }' \
        | grep -v '^ringlet_'
}

cmake_finds_it() {
    command -v cmake >/dev/null || { echo "there is no cmake"; return 77; }
    project=$BUILD/cmake
    rm -rf "$project" && mkdir -p "$project" && cp status.c check.h "$project" || return 1
    cat >"$project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(check C)
find_package(Ringlet 0.1 CONFIG REQUIRED)
add_executable(shared status.c)
target_link_libraries(shared Ringlet::ringlet)
add_executable(static status.c)
target_link_libraries(static Ringlet::ringlet-static)
END
    cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$PREFIX" \
        && cmake --build "$project/build" && "$project/build/shared" && "$project/build/static"
}

# Functions cannot be run by timeout(1); these take no time.
check_case() {
    name=$1
    shift
    "$@" >"$output" 2>&1
    case $? in
        0) passed=$((passed + 1)); echo "passed  $name" ;;
        77) skipped=$((skipped + 1)); echo "skipped $name: $(cat "$output")" ;;
        *) failed=$((failed + 1)); echo "FAILED  $name"; sed 's/^/        /' "$output" ;;
    esac
}

# SANITIZED: the library is that of a build under sanitizers, and only the programs are of interest.
check_installation() {
    for compiler in gcc clang; do
        check_case "header alone, C99, $compiler" compiles_alone $compiler c99 c
        check_case "header alone, C11, $compiler" compiles_alone $compiler c11 c
    done
    for compiler in g++ clang++; do
        check_case "header alone, C++17, $compiler" compiles_alone $compiler c++17 c++
    done
    check_case "exports only ringlet_*" exports_only_the_prefix
    check_case "exports what the header declares" exports_what_the_header_declares
    check_case "tests call every function" tests_call_every_function
    check_case "debuggers find the table" debuggers_find_the_table
    check_case "soname" has_the_soname
    check_case "needs no Swift library" needs_no_swift
    check_case "archive shows only ringlet_*" archive_shows_only_the_prefix
    check_case "CMake finds it" cmake_finds_it
}

[ -n "$SANITIZED" ] || check_installation
for program in "$@"; do
    test_case "$program" "$BUILD/$program"
done
[ -n "$SANITIZED" ] || test_case "errors, linked statically" "$BUILD/errors-static"

closing="$passed passed, $failed failed"
[ $skipped -eq 0 ] || closing="$closing, $skipped skipped"
echo "$closing"
[ $failed -eq 0 ]
