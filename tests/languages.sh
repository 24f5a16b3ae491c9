#!/bin/sh
# The bindings, the examples and the installed package:
#
#     sh tests/languages.sh PYTHON LIBRARIES
#
# PYTHON is an interpreter with what tests/python/requirements.txt lists, LIBRARIES the folder where cargo
# has put libvoxlane.so and libvoxlane.a, such as target/release. Needs g++, clang++, gfortran, cmake, pkg-config; what
# may be absent (Julia, cargo-c) is said in a line that begins with "SKIPPED: ".
set -eu

python=$1
libraries=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
tests=$root/tests/languages
include=$root/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1

# step NAME COMMAND...: the command's output only if it fails. Not in an `if`, where the shell forgets -e inside functions.
step() {
    name=$1
    shift
    set +e
    (set -e; "$@") >"$work/output" 2>&1
    code=$?
    set -e
    if [ $code -ne 0 ]; then
        echo "FAILED: $name"
        sed 's/^/    /' "$work/output"
        exit 1
    fi
    echo "ok: $name"
}

# absent COMMAND...: succeeds if the command does not. `!` alone would not stop a function.
absent() {
    if "$@"; then return 1; fi
}

# Programs ask for the library by its SONAME, which cargo does not make a file of.
lib=$work/lib
mkdir "$lib"
ln -s "$libraries/libvoxlane.so" "$lib/libvoxlane.so"
ln -s "$libraries/libvoxlane.so" "$lib/libvoxlane.so.1"
warnings='-Wall -Wextra -Wpedantic -Werror'

# --- bindings ---------------------------------------------------------------------------------------------------

cpp() {
    "$1" -std="$2" $warnings -Wshadow -Wconversion -I"$include" -o "$work/calls" \
        "$tests/cpp/calls.cpp" "$tests/cpp/second_unit.cpp" -L"$lib" -lvoxlane -Wl,-rpath,"$lib"
    "$work/calls"
}
for compiler in g++ clang++; do
    for standard in c++17 c++20 c++2b; do
        step "voxlane.hpp, $compiler -std=$standard, two translation units" cpp $compiler $standard
    done
    printf '#include <version>\n#ifndef __cpp_lib_mdspan\n#error none\n#endif\n' >"$work/mdspan.cpp"
    $compiler -std=c++2b -fsyntax-only "$work/mdspan.cpp" 2>/dev/null ||
        echo "SKIPPED: std::mdspan with $compiler, which lacks it; a class of the same interface took its place"
done

fortran() {
    mkdir -p "$work/fortran"
    gfortran -std=f2008 $warnings "$@" -J"$work/fortran" -o "$work/fortran/calls" \
        "$include/voxlane.f90" "$tests/fortran/calls.f90" -L"$lib" -lvoxlane -Wl,-rpath,"$lib"
    # With -fcheck=array-temps the program says where it copies an array to pass it on.
    "$work/fortran/calls" 2>"$work/copies"
    absent grep 'array temporary' "$work/copies"
    "$work/fortran/calls" components
    # Without stat a refused call ends the program with the library's text.
    absent "$work/fortran/calls" without-stat >"$work/stopped" 2>&1
    grep -q '^voxlane: labels: shape \[2, 3, 3\]' "$work/stopped"
    absent grep 'still alive' "$work/stopped"
}
step 'voxlane.f90, gfortran -std=f2008, all checks and traps on, no copies' \
    fortran -O0 -g -fcheck=all -ffpe-trap=invalid,zero,overflow
step 'voxlane.f90, gfortran -std=f2008 -O2' fortran -O2

with_library() {
    VOXLANE_LIBRARY="$lib/libvoxlane.so" PYTHONPATH="$include" "$@"
}
step 'voxlane.py' with_library "$python" "$tests/python/calls.py"
step 'voxlane.py, type hints' "$python" -m mypy --strict --cache-dir="$work/mypy" "$include/voxlane.py"
step 'the numbers of all bindings' with_library "$python" "$tests/values.py" "$include"
step 'struct layouts of Voxlane.jl' "$python" "$tests/julia/layout.py" "$include/voxlane.h" "$include/Voxlane.jl"
if command -v julia >/dev/null; then
    step 'Voxlane.jl' with_library julia --startup-file=no "$tests/julia/calls.jl"
else
    echo 'SKIPPED: Voxlane.jl was not run: there is no julia'
fi

layouts() {
    gcc -std=c99 $warnings -I"$include" -o "$work/layout" "$root/tests/c/layout.c"
    "$work/layout" >"$work/layout.c.txt"
    gfortran -std=f2008 $warnings -J"$work" -o "$work/layout" "$include/voxlane.f90" "$tests/fortran/layout.f90" \
        -L"$lib" -lvoxlane -Wl,-rpath,"$lib"
    "$work/layout" | diff "$work/layout.c.txt" -
    with_library "$python" "$tests/python/layout.py" | diff "$work/layout.c.txt" -
}
step 'sizes and offsets in Fortran and Python are those in C' layouts

# refuses TEXT COMMAND...: the command fails and says TEXT.
refuses() {
    text=$1
    shift
    absent "$@" >"$work/refused" 2>&1
    grep -F "$text" "$work/refused"
}
# A library of another ABI number, and six that differ in the size of one struct.
other_abis() {
    printf '#include <voxlane.hpp>\n#include <cstdio>\nint main() {\n' >"$work/other.cpp"
    printf 'try { voxlane::steepest(voxlane_array{}, voxlane_array_mut{}); }\n' >>"$work/other.cpp"
    printf 'catch (const voxlane::error &e) { std::puts(e.what()); return 1; }\nreturn 0; }\n' >>"$work/other.cpp"
    g++ -std=c++17 -I"$include" -o "$work/other" "$work/other.cpp" -L"$lib" -lvoxlane -Wl,-rpath,"$lib"
    for define in ABI OTHER_SIZE=1 OTHER_SIZE=2 OTHER_SIZE=3 OTHER_SIZE=4 OTHER_SIZE=5 OTHER_SIZE=6; do
        other=$work/libother.so
        gcc -std=c99 $warnings -fPIC -shared -D$define -I"$include" -o "$other" "$tests/other_abi.c" \
            -L"$lib" -lvoxlane -Wl,-rpath,"$lib"
        refuses 'voxlane.hpp is for ABI 1' env LD_PRELOAD="$other" "$work/other"
        refuses 'voxlane.f90 is for another ABI' env LD_PRELOAD="$other" "$work/fortran/calls" without-stat
        VOXLANE_LIBRARY=$other PYTHONPATH=$include refuses 'voxlane.py' "$python" -c 'import voxlane'
        if command -v julia >/dev/null; then
            VOXLANE_LIBRARY=$other refuses 'Voxlane.jl' julia --startup-file=no -e 'include(ARGS[1])' "$include/Voxlane.jl"
        fi
    done
}
step 'a library of another ABI is refused' other_abis

# --- examples ---------------------------------------------------------------------------------------------------

# In the middle of which other output the lines stand is left open; their order is not.
examples() {
    make -C "$root/c_examples" run-all PYTHON="$python" OUT="$work" >"$work/examples" 2>&1 || { cat "$work/examples"; return 1; }
    grep -xF -f "$tests/examples.txt" "$work/examples" >"$work/found" || true
    cp "$tests/examples.txt" "$work/expected"
    # Julia comes last, and prints what Python prints.
    if command -v julia >/dev/null; then sed -n '/^voxels_of_head/,$p' "$tests/examples.txt" >>"$work/expected"; fi
    diff "$work/expected" "$work/found"
}
step 'examples, the highest instruction set' examples
grep '^SKIPPED: ' "$work/examples" || true
export VOXLANE_ISA=portable
step 'examples, the portable instruction set' examples
unset VOXLANE_ISA
step 'examples refuse bad input' make -C "$root/c_examples" check

# The programs lie where make has put them, beside the folder with the library that it has built.
programs=$(sed -n "s|^\(/.*\)/anisotropic_mask '0'$|\1|p; s|^\(\.\./.*\)/anisotropic_mask '0'$|$root/c_examples/\1|p" "$work/examples" | head -n 1)
exit_codes() {
    expect_code 2 "$programs/anisotropic_mask" two threads
    expect_code 2 "$programs/anisotropic_mask" many
    expect_code 2 "$programs/slabs" 1 2
    expect_code 2 "$programs/slabs" /nowhere/ct.raw 4 5 6 "$work/labels.raw"
    expect_code 2 "$programs/slabs" /nowhere/ct.raw 4 0 6 "$work/labels.raw"
    head -c 240 /dev/zero >"$work/ct.raw"
    expect_code 3 "$programs/slabs" "$work/ct.raw" 4 5 7 "$work/labels.raw"
    "$programs/slabs" "$work/ct.raw" 4 5 6 "$work/labels.raw"
    [ "$(wc -c <"$work/labels.raw")" -eq 120 ]
    expect_code 2 with_library "$python" "$root/c_examples/mri.py" --input /nowhere/image.nii.gz
    expect_code 2 "$programs/rock_salt" many
    expect_code 2 with_library "$python" "$root/c_examples/pdb_density.py" --input /nowhere/1ubq.pdb
    printf 'ATOM      1  X   MOL A   1       0.000   0.000   0.000  1.00  0.00          XX\n' >"$work/bad.pdb"
    expect_code 2 with_library "$python" "$root/c_examples/pdb_density.py" --input "$work/bad.pdb"
    expect_code 2 with_library "$python" "$root/c_examples/pdb_density.py" --spacing 0
    expect_code 3 with_library "$python" "$root/c_examples/pdb_density.py" --out /nowhere/density.npy
    expect_code 3 with_library "$python" "$root/c_examples/localisations.py" --out /nowhere/picture.pgm
    expect_code 3 with_library "$python" "$root/c_examples/mri.py" --out /nowhere
    export VOXLANE_ISA=avx1024
    expect_code 3 "$programs/anisotropic_mask"
    expect_code 3 "$programs/sheared_lattice"
    expect_code 3 "$programs/slabs"
    expect_code 3 "$programs/rock_salt"
    unset VOXLANE_ISA
}
expect_code() {
    code=0 wanted=$1
    shift
    "$@" >"$work/out" 2>"$work/err" || code=$?
    # One line says why; Fortran adds its own STOP.
    if [ "$code" -ne "$wanted" ] || [ "$(grep -vc '^STOP' "$work/err")" -ne 1 ]; then
        echo "$*: exit status $code, not $wanted; standard error:"
        cat "$work/err"
        return 1
    fi
}
step 'examples, exit statuses' exit_codes

# --- the installed package --------------------------------------------------------------------------------------

step 'make install' make -C "$root/c_examples" install PREFIX="$work/first"

# The README's lines, as they stand there.
as_in_the_readme() {
    mkdir "$work/linked"
    cp "$tests/consumer/consumer.c" "$work/linked/program.c"
    cp "$tests/consumer/consumer.cpp" "$work/linked/program.cpp"
    cp "$root/c_examples/sheared_lattice.f90" "$work/linked/program.f90"
    cd "$work/linked"
    PKG_CONFIG_PATH="$work/first/lib/pkgconfig" sh "$tests/link.sh"
    ./program_static
    for program in program_c program_cpp program_fortran; do
        LD_LIBRARY_PATH="$work/first/lib" ./$program
    done
}
step 'installed: linked as the README says' as_in_the_readme

# Moved after the fact: nothing but the .pc file may know the place.
mv "$work/first" "$work/prefix"
prefix=$work/prefix
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
packaged() {
    pkg-config --define-variable=prefix="$prefix" "$@" voxlane
}

by_pkg_config() {
    [ "$(packaged --modversion)" = "$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)" ]
    cc -std=c99 $warnings $(packaged --cflags) -o "$work/consumer" "$tests/consumer/consumer.c" \
        $(packaged --libs) -Wl,-rpath,"$prefix/lib"
    "$work/consumer"
    g++ -std=c++17 $warnings $(packaged --cflags) -o "$work/consumer" "$tests/consumer/consumer.cpp" \
        $(packaged --libs) -Wl,-rpath,"$prefix/lib"
    "$work/consumer"
    readelf -d "$work/consumer" | grep -q 'NEEDED.*\[libvoxlane\.so\.1\]'
}
step 'installed: pkg-config, C and C++' by_pkg_config

statically() {
    cc -std=c99 $warnings -I"$prefix/include" -o "$work/consumer" "$tests/consumer/consumer.c" \
        "$prefix/lib/libvoxlane.a" $(packaged --static --libs-only-l | sed 's/-lvoxlane//')
    "$work/consumer"
    readelf -d "$work/consumer" >"$work/dynamic"
    absent grep voxlane "$work/dynamic"
}
step 'installed: the static library by itself' statically

native_libraries() {
    : >"$work/empty.rs"
    rustc --crate-type staticlib --print native-static-libs -o "$work/empty.a" "$work/empty.rs" 2>"$work/printed"
    native=$(sed -n 's/.*native-static-libs: //p' "$work/printed")
    [ -n "$native" ]
    grep -xF "Libs.private: $native" "$prefix/lib/pkgconfig/voxlane.pc"
    grep -F "set(_voxlane_native $native)" "$prefix/share/cmake/voxlane/voxlane-config.cmake"
    grep -F "libvoxlane.a $native" "$tests/link.sh"
}
step 'installed: the native libraries are those rustc names' native_libraries

by_cmake() {
    cmake -S "$tests/consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
    cmake --build "$work/cmake"
    for program in c_shared c_static cxx_shared cxx_static; do
        "$work/cmake/$program"
    done
    readelf -d "$work/cmake/c_static" >"$work/dynamic"
    absent grep libvoxlane "$work/dynamic"
    readelf -d "$work/cmake/c_shared" | grep -q 'NEEDED.*\[libvoxlane\.so\.1\]'
}
step 'installed: CMake, shared and static' by_cmake

fortran_source() {
    gfortran -std=f2008 -J"$work" -o "$work/sheared_lattice" "$prefix/include/voxlane.f90" \
        "$root/c_examples/sheared_lattice.f90" $(packaged --libs) -Wl,-rpath,"$prefix/lib"
    "$work/sheared_lattice" | grep -xF 'integral: 120.000000'
}
step 'installed: Fortran' fortran_source

python_module() {
    PYTHONPATH="$prefix/share/voxlane" "$python" -c '
import sys, voxlane
assert voxlane._library._name.startswith(sys.argv[1]), voxlane._library._name' "$prefix/lib"
}
step 'installed: Python finds the library beside it' python_module

staged() {
    make -C "$root/c_examples" install DESTDIR="$work/stage" PREFIX=/opt/voxlane LIBDIR=/opt/voxlane/lib64
    [ -e "$work/stage/opt/voxlane/lib64/libvoxlane.so" ]
    grep -xF 'prefix=/opt/voxlane' "$work/stage/opt/voxlane/lib64/pkgconfig/voxlane.pc"
    grep -xF 'libdir=${prefix}/lib64' "$work/stage/opt/voxlane/lib64/pkgconfig/voxlane.pc"
    absent grep -rlF "$work" "$work/stage/opt/voxlane/share" "$work/stage/opt/voxlane/lib64/pkgconfig"
}
step 'make install with DESTDIR and LIBDIR' staged

# As `sudo make install` does, where root has no cargo: what the user has built is installed.
without_cargo() {
    make -C "$root/c_examples" install CARGO=there-is-no-cargo DESTDIR="$work/without" PREFIX=/opt/voxlane
    cmp "$work/without/opt/voxlane/lib/libvoxlane.so" "$libraries/libvoxlane.so"
    absent make -C "$root/c_examples" install CARGO=there-is-no-cargo CARGO_TARGET_DIR="$work/empty" \
        DESTDIR="$work/nothing" PREFIX=/opt/voxlane
}
step 'make install without cargo' without_cargo

by_cargo_c() {
    cargo cinstall --release --manifest-path "$root/Cargo.toml" --prefix "$work/cargo-c" --libdir "$work/cargo-c/lib" \
        --target-dir "${CARGO_TARGET_DIR:-$root/target}/cargo-c"
    (cd "$prefix" && find . | LC_ALL=C sort) >"$work/by_make"
    (cd "$work/cargo-c" && find . | LC_ALL=C sort) >"$work/by_cargo_c"
    diff "$work/by_make" "$work/by_cargo_c"
    for file in include/voxlane.h include/voxlane.hpp share/voxlane/voxlane.py; do
        cmp "$prefix/$file" "$work/cargo-c/$file"
    done
    readelf -d "$work/cargo-c/lib/libvoxlane.so" | grep -q 'SONAME.*\[libvoxlane\.so\.1\]'
    readelf -d "$work/cargo-c/lib/libvoxlane.so" | grep -q NODELETE
}
if cargo cinstall --version >/dev/null 2>&1; then
    step 'cargo cinstall gives the same files' by_cargo_c
else
    echo 'SKIPPED: cargo cinstall was not run: cargo-c is not installed'
fi

# --- the README's examples --------------------------------------------------------------------------------------

"$python" "$root/tests/readme_snippets.py"
