#!/usr/bin/env bash
# Whatever is wrong with a call, it is refused with a status and a text, and nothing has been written. Also
# under valgrind, whose processor has no AVX-512, and with the sanitizers on the C side.
source "$(dirname "$0")/../c/common.sh"

sources="bad_input.c bad_memory.c bad_options.c bad_values.c bad_shortcuts.c cancellation.c"
# shellcheck disable=SC2086
build bad_input $sources
# shellcheck disable=SC2086
build bad_input_sanitized $sources -- -fsanitize=address,undefined -fno-sanitize-recover=all

for tier in $(supported_tiers); do
    echo "tiers: bad input on $tier"
    VOXLANE_ISA=$tier expect "bad input on $tier" "$folder/bad_input"
    VOXLANE_ISA=$tier expect "bad input, sanitized, on $tier" "$folder/bad_input_sanitized"
done

# VARIABLE=VALUE STATUS TEXT
ISA=-9 THREAD=-11
refused_environment() {
    expect "$1" env "$1" "$folder/bad_input" environment "$2" "$3"
}
for value in avx3 AVX-512 sse2 portable,avx2 " " 2; do
    refused_environment "VOXLANE_ISA=$value" $ISA "VOXLANE_ISA is \"$value\","
done
for value in abc -1 2.5 1e3 99999999999999999999 2147483648; do
    refused_environment "VOXLANE_THREADS=$value" $THREAD "VOXLANE_THREADS is \"$value\","
done
# What is no text or more than one line is quoted so that it is one.
refused_environment 'VOXLANE_ISA='$'\xff' $ISA 'VOXLANE_ISA is "\xFF",'
refused_environment 'VOXLANE_THREADS='$'\xff\n' $THREAD 'VOXLANE_THREADS is "\xFF\n",'
for setting in VOXLANE_ISA= VOXLANE_ISA=portable VOXLANE_THREADS= VOXLANE_THREADS=0 VOXLANE_THREADS=3; do
    expect "$setting" env "$setting" "$folder/bad_input"
done

# Option and environment both only lower: what runs is the lower of the two, as the bits of a sum tell.
PORTABLE=1 AVX2=2
bits() {
    env VOXLANE_ISA="$1" "$folder/tiers" "$2" || fail "a sum with VOXLANE_ISA=$1 and the option $2"
}
if "$folder/tiers" 2>/dev/null | grep -qx avx2; then
    portable=$(bits "" $PORTABLE) avx2=$(bits "" $AVX2)
    [ "$portable" != "$avx2" ] || fail "the bits of this sum do not tell tiers apart"
    [ "$(bits portable $AVX2)" = "$portable" ] || fail "an option of AVX2 raised VOXLANE_ISA=portable"
    [ "$(bits avx2 $PORTABLE)" = "$portable" ] || fail "an option of portable did not lower VOXLANE_ISA=avx2"
    [ "$(bits avx2 0)" = "$avx2" ] || fail "VOXLANE_ISA=avx2 did not choose AVX2"
else
    echo "SKIPPED: the lower of option and environment, on a machine with one tier"
fi

for tier in portable avx2; do
    if valgrind --quiet "$folder/tiers" 2>/dev/null | grep -qx "$tier"; then
        echo "tiers: bad input under valgrind on $tier"
        VOXLANE_ISA=$tier expect "valgrind on $tier" "${memcheck[@]}" "$folder/bad_input"
    else
        echo "SKIPPED: bad input under valgrind on $tier, which its processor lacks"
    fi
done
if valgrind --quiet "$folder/tiers" 2>/dev/null | grep -qx avx512; then
    echo "SKIPPED: a tier that the processor lacks, as even valgrind's has all of them"
else
    VOXLANE_ISA=avx512 expect "valgrind without AVX-512" \
        "${memcheck[@]}" "$folder/bad_input" environment $ISA "VOXLANE_ISA asks for avx512"
fi
finish
