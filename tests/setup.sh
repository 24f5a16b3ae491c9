#!/usr/bin/env bash
# Installs what the tests need and is missing: Debian packages if run by root, Python packages in a folder of
# their own. Says what is missing, and fails, if it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
# need PACKAGES COMMAND...: the packages are missing unless the command succeeds.
need() {
    local packages=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=($packages)
}
compiles() { echo 'int main(void) { return 0; }' | "$1" -x "$2" -o /dev/null -; }

need "gcc libc6-dev" compiles gcc c
need "g++ libc6-dev" compiles g++ c++
need "clang libc6-dev" compiles clang c
# clang++ takes the C++ library of g++.
need "clang g++" compiles clang++ c++
need "make" make --version
need "gfortran" gfortran --version
need "cmake" cmake --version
need "pkg-config" pkg-config --version
need "binutils" readelf --version
need "git" git --version
# valgrind refuses to start where the loader's symbols are missing.
need "valgrind libc6-dbg" valgrind --quiet true
need "python3 python3-venv" python3 -c 'import ensurepip, venv'

if [ ${#missing[@]} -gt 0 ]; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing, and not root on Debian, so that they cannot be installed: ${missing[*]}" >&2
        exit 1
    fi
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
fi

venv=$VOXLANE_TARGET/tests/venv
# A folder whose Python has gone is of no use, nor is one with other versions.
if ! "$venv/bin/python" -c '' 2>/dev/null || ! cmp -s tests/python/requirements.txt "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt
    cp tests/python/requirements.txt "$venv/requirements.txt"
fi
"$venv/bin/python" -c 'import numpy, sys; print("Python", sys.version.split()[0], "with NumPy", numpy.__version__)'
