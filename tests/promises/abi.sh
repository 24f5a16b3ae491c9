#!/usr/bin/env bash
# The binary interface: the header compiles alone and twice in every language standard, the shared library
# exports exactly the listed names, carries its number, stays loaded, calls no vector instruction, and the static
# one links.
source "$(dirname "$0")/../c/common.sh"

# The header alone, before any other, and once more: in C and in C++, with every warning an error.
for twice in voxlane.h voxlane.h,voxlane.h; do
    printf '#include <%s>\n' ${twice//,/ } >"$folder/alone.c"
    cat >>"$folder/alone.c" <<'END'
int use(void);
int use(void) { return (int)voxlane_version() - VOXLANE_VERSION + VOXLANE_ERR_NULL; }
END
    strict="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror"
    for standard in c99 c11 c17; do
        for compiler in gcc clang; do
            # shellcheck disable=SC2086
            expect "$twice, $compiler, $standard" $compiler -std=$standard $strict -Wstrict-prototypes \
                -Iinclude -c "$folder/alone.c" -o "$folder/alone.o"
        done
    done
    for standard in c++11 c++17 c++20; do
        for compiler in g++ clang++; do
            # shellcheck disable=SC2086
            expect "$twice, $compiler, $standard" $compiler -x c++ -std=$standard $strict \
                -Iinclude -c "$folder/alone.c" -o "$folder/alone.o"
        done
    done
done

library=$release/libvoxlane.so
nm --dynamic --defined-only --format=posix "$library" | cut -d' ' -f1 | sort >"$folder/symbols"
diff tests/abi_symbols.txt "$folder/symbols" || fail "exported symbols differ from tests/abi_symbols.txt"
! grep -v '^voxlane_' "$folder/symbols" || fail "an exported symbol has a foreign prefix"
readelf --dynamic --wide "$library" >"$folder/dynamic"
abi=$(sed -n 's/^#define VOXLANE_ABI_VERSION //p' include/voxlane.h)
grep -qF "Library soname: [libvoxlane.so.$abi]" "$folder/dynamic" || fail "SONAME is not libvoxlane.so.$abi"
grep -q 'FLAGS_1.*NODELETE' "$folder/dynamic" || fail "the library can be unloaded"
! grep -qE 'TEXTREL|RPATH|RUNPATH' "$folder/dynamic" || fail "text relocations, or a path"
readelf --segments --wide "$library" | grep -q 'GNU_STACK.* RW ' || fail "the stack is executable"
# A vector instruction that is left as a function of its own is called where it should stand: a closure or a helper
# around it was not inlined, and has lost its tier. That once made rows with NaN 20 times as slow.
! nm --format=posix "$library" | grep 'core_arch.*_mm' || fail "vector instructions that are calls"
needed=$(sed -n 's/.*Shared library: \[\(.*\)\.so.*/\1/p' "$folder/dynamic" | sort | tr '\n' ' ')
echo "needs $needed"
for name in $needed; do
    case $name in libc | libm | libgcc_s | ld-linux-*) ;; *) fail "needs $name" ;; esac
done

# One program, three ways to the library: shared, static, and static in a program without any shared library.
build versions versions.c
expect "versions, shared" "$folder/versions" "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
# (C90 has no long long, in which the system's own headers define some types.)
expect "header as C90" gcc -std=c90 -Wpedantic -Wno-long-long -Wall -Wextra -Werror -fsyntax-only -x c include/voxlane.h
# The native libraries that `make install` names; tests/languages.sh compares them with those that rustc does.
native="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"
# shellcheck disable=SC2086
expect "static link" gcc -std=c99 $warnings -Iinclude tests/c/versions.c "$release/libvoxlane.a" \
    $native -o "$folder/versions_static"
expect "versions, static" "$folder/versions_static"
! readelf --dynamic "$folder/versions_static" | grep -q voxlane || fail "the static program needs libvoxlane.so"
# glibc warns of functions of Rust's standard library that nothing here calls.
# shellcheck disable=SC2086
expect "fully static link" gcc -std=c99 -static $warnings -Iinclude tests/c/versions.c \
    "$release/libvoxlane.a" -lpthread -lm -lgcc_eh -lc -o "$folder/versions_all_static" 2>"$folder/static_warnings"
expect "versions, fully static" "$folder/versions_all_static"
finish
