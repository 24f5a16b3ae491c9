#!/usr/bin/env bash
# What a process may do around its calls: fork, call from many threads at once, let threads come and go, open and
# close the library, end while helper threads are alive, choose a floating-point mode. A time limit turns a deadlock into
# a failure.
source "$(dirname "$0")/../c/common.sh"

build fork fork.c work.c
build fork_inside fork_inside.c work.c
build threads threads.c work.c
build floating_point floating_point.c work.c
build exit_alive exit_alive.c work.c
# Not of programs that fork: in the child, the sanitizer's own allocator may wait for a thread that is not there.
build threads_sanitized threads.c work.c -- -fsanitize=address,undefined -fno-sanitize-recover=all
gcc -std=c99 -D_GNU_SOURCE $warnings -O1 -g -Iinclude tests/c/load_unload.c -o "$folder/load_unload" -ldl \
    -lpthread || fail "load_unload does not compile"

expect "fork" "$folder/fork"
expect "fork inside a call" "$folder/fork_inside"
if [ "$(uname -s)" = Linux ]; then
    build fork_namespace fork_namespace.c work.c
    expect "fork into a process namespace" "$folder/fork_namespace"
else
    echo "SKIPPED: a fork into a process namespace, which only Linux has"
fi
expect "threads" "$folder/threads"
build signals signals.c work.c
expect "signals" "$folder/signals"
if [ "$(uname -s)" = Linux ]; then
    build short_memory short_memory.c
    expect "memory that runs out" "$folder/short_memory"
else
    echo "SKIPPED: memory that runs out, which is limited as on Linux"
fi
expect "load and unload" "$folder/load_unload" "$release/libvoxlane.so"
for how in return callback meanwhile; do
    for _ in 1 2 3 4 5; do
        timeout --kill-after=5 60 "$folder/exit_alive" $how
        status=$?
        [ $status -eq 7 ] || fail "end by $how: status $status, not 7"
    done
done
for tier in $(supported_tiers); do
    echo "tiers: threads on $tier"
    VOXLANE_ISA=$tier expect "threads on $tier" "$folder/threads"
    VOXLANE_ISA=$tier expect "floating-point modes on $tier" "$folder/floating_point"
done
expect "threads, sanitized" "$folder/threads_sanitized"
build tiers tiers.c
for tier in portable avx2; do
    if valgrind --quiet "$folder/tiers" 2>/dev/null | grep -qx "$tier"; then
        echo "tiers: threads under valgrind on $tier"
        VOXLANE_ISA=$tier expect "threads under valgrind on $tier" "${memcheck[@]}" "$folder/threads" few
    else
        echo "SKIPPED: threads under valgrind on $tier, which its processor lacks"
    fi
done
finish
