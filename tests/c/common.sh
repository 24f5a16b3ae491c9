# What the scripts around the C programs share; sourced. The library is the release build, as users get it.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${VOXLANE_TARGET:?set by tests/run.sh}"
release=$VOXLANE_TARGET/release
folder=$VOXLANE_TARGET/tests/$(basename "$0" .sh)
rm -rf "$folder" && mkdir -p "$folder" || exit 1
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Werror"
failures=0

fail() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

# expect WHAT COMMAND...: the command succeeds. Nothing may hang: a test that waits for ever has failed.
expect() {
    local what=$1
    shift
    timeout --kill-after=5 120 "$@" || fail "$what (exit status $?)"
}

# build NAME SOURCE... [-- OPTION...]: a C99 program against the shared library.
build() {
    local name=$1 sources=() options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        sources+=("tests/c/$1")
        shift
    done
    [ $# -gt 0 ] && shift
    # shellcheck disable=SC2086
    gcc -std=c99 -D_GNU_SOURCE $warnings -O1 -g -Iinclude "${sources[@]}" -o "$folder/$name" "$@" \
        -L"$release" -Wl,-rpath,"$release" -lvoxlane -lm -lpthread || {
        fail "$name does not compile"
        exit 1
    }
}

# The tiers that this machine runs, lowest first; says which it lacks.
supported_tiers() {
    build tiers tiers.c
    "$folder/tiers"
}

# Memory that helper threads still hold when the process ends is theirs; all else must have been freed.
memcheck=(valgrind --quiet --error-exitcode=97 --leak-check=full --show-leak-kinds=definite
    --errors-for-leak-kinds=definite)

finish() {
    [ "$failures" -eq 0 ] || exit 1
}
