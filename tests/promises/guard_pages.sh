#!/usr/bin/env bash
# Nothing outside the views is read or written, on every tier: the arrays lie between forbidden pages.
source "$(dirname "$0")/../c/common.sh"

build guard_pages guard_pages.c guard.c
for tier in $(supported_tiers); do
    echo "tiers: guard pages on $tier"
    VOXLANE_ISA=$tier expect "guard pages on $tier" "$folder/guard_pages" 1500
done
# Decisions on numbers that nobody has written would show here.
for tier in portable avx2; do
    if valgrind --quiet "$folder/tiers" 2>/dev/null | grep -qx "$tier"; then
        echo "tiers: guard pages under valgrind on $tier"
        VOXLANE_ISA=$tier expect "guard pages under valgrind on $tier" "${memcheck[@]}" "$folder/guard_pages" 40
    else
        echo "SKIPPED: guard pages under valgrind on $tier, which its processor lacks"
    fi
done
# A test of the test: a library that reads too far must not pass.
gcc -std=c99 -D_GNU_SOURCE $warnings -Iinclude tests/c/guard_works.c tests/c/guard.c -o "$folder/guard_works" \
    || fail "guard_works does not compile"
for edge in before after; do
    status=$({ "$folder/guard_works" $edge; echo $?; } 2>/dev/null)
    [ "$status" -eq 139 ] || fail "a read just $edge an array went unseen: status $status"
done
"$folder/guard_works" inside || fail "a read inside an array was seen"
finish
