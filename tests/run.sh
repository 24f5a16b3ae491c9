#!/usr/bin/env bash
# The test command: installs what the tests need, builds the library as users get it, and runs every test.
#
#     bash tests/run.sh
#
# A failing step does not hide the later ones. The end repeats which instruction-set tiers ran and every line
# that says that something was skipped; there is no other way for a test to be left out.
set -uo pipefail
cd "$(dirname "$0")/.."

# What a caller's shell may hold would change what is tested.
unset VOXLANE_ISA VOXLANE_THREADS

export VOXLANE_TARGET="${CARGO_TARGET_DIR:-target}"
case $VOXLANE_TARGET in /*) ;; *) VOXLANE_TARGET=$PWD/$VOXLANE_TARGET ;; esac
export CARGO_TARGET_DIR=$VOXLANE_TARGET
logs=$VOXLANE_TARGET/tests/logs
rm -rf "$logs" && mkdir -p "$logs" || exit 1

failed=()
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if "$@" 2>&1 | tee "$logs/${name//[^a-z0-9]/-}.log"; then
        printf '== %s: passed, %d s\n' "$name" $((SECONDS - start))
    else
        printf '== %s: FAILED, %d s\n' "$name" $((SECONDS - start))
        failed+=("$name")
    fi
}
# Without these there is nothing to test.
needed() {
    step "$@"
    [ ${#failed[@]} -eq 0 ] || exit 1
}

# Side by side, as the library as users get it is one unit, for one core.
build() {
    cargo test --quiet --no-run &
    make --no-print-directory -C c_examples all && wait $!
}

needed "set-up" bash tests/setup.sh
needed "build" build
python=$VOXLANE_TARGET/tests/venv/bin/python

step "rust" cargo test --quiet -- --show-output
step "c example" make --no-print-directory -C c_examples check
for script in tests/promises/*.sh; do
    step "$(basename "$script" .sh | tr _ ' ')" bash "$script"
done
for script in tests/python/test_*.py; do
    step "$(basename "$script" .py | tr _ ' ')" "$python" "$script"
done
step "languages" sh tests/languages.sh "$python" "$VOXLANE_TARGET/release"

printf '\n== summary\n'
grep -hE '^tiers|SKIPPED' "$logs"/*.log | sort | uniq -c | sed -E 's/^ *([0-9]+) /\1 x /'
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
printf 'all passed in %d s\n' "$SECONDS"
