#!/usr/bin/env bash
# The comparison with other implementations runs, voxlane's results in it are the exact ones, and the README's tables are
# those of the newest results that are kept. Times are printed, and decide nothing.
source "$(dirname "$0")/../c/common.sh"

# Its own limit is longer than `expect` allows: it installs Python packages at the first time.
timeout --kill-after=5 900 python3 benches/compare run --quick || fail "comparison (exit status $?)"
expect "tables of README.md" python3 benches/compare report --check
finish
