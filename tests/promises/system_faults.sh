#!/usr/bin/env bash
# When clock, threads or memory fail, the caller gets a status: also for a panic inside the shared library.
source "$(dirname "$0")/../c/common.sh"

# Without -rdynamic the loader would not give the library this program's functions.
build faults faults.c -- -rdynamic -ldl
# Rust reports each forced panic on stderr; what the program itself found wrong begins with "line".
expect "faults" "$folder/faults" 2>"$folder/stderr"
grep '^line' "$folder/stderr"

# The environment stands in for an option of 0, and only for that.
for threads in 1 2 4; do
    VOXLANE_THREADS=$threads expect "VOXLANE_THREADS=$threads" "$folder/faults" threads $threads
done
VOXLANE_THREADS=2 expect "options before VOXLANE_THREADS" "$folder/faults" 2>"$folder/stderr"
grep '^line' "$folder/stderr"
finish
