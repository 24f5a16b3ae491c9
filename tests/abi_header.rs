//! The header is what the source generates, declares everything once, and lays the structs out as Rust does.

use std::collections::HashSet;
use std::fs;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use voxlane::ffi::array::{voxlane_array, voxlane_array_mut};
use voxlane::ffi::gaussians::{voxlane_gaussian_options, voxlane_gaussians, voxlane_grid};
use voxlane::ffi::runtime::{voxlane_abi_version, voxlane_sizeof, voxlane_version};
use voxlane::ffi::steepest::voxlane_steepest_options;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    fs::read_to_string(root().join("include/voxlane.h")).unwrap()
}

#[test]
fn the_header_is_what_the_source_generates() {
    let generated = fs::read_to_string(concat!(env!("OUT_DIR"), "/voxlane.h")).unwrap();
    assert!(
        generated == header(),
        "include/voxlane.h differs from the generated header: build, and commit it"
    );
}

/// The build writes the header into the source tree, which would hide that the one in the repository is old.
#[test]
fn the_header_in_the_repository_is_current() {
    if !root().join(".git").exists() {
        println!("SKIPPED: comparison with the header in the repository, as this is no checkout");
        return;
    }
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "show", ":include/voxlane.h"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.stdout == header().into_bytes(),
        "include/voxlane.h is newer than the one in the repository"
    );
}

#[test]
fn everything_is_declared_once() {
    let header = header();
    let mut functions = HashSet::new();
    for line in header.lines().filter(|line| !line.starts_with([' ', '/', '#', '}', '*'])) {
        let before = line.split('(').next().unwrap();
        let name = before.rsplit([' ', '*']).next().unwrap();
        if line.contains('(') && name.starts_with("voxlane_") {
            assert!(functions.insert(name), "{name} is declared twice");
        }
    }
    assert_eq!(functions.len(), 15);
    let mut macros = HashSet::new();
    for line in header.lines().filter_map(|line| line.strip_prefix("#define ")) {
        let name = line.split_whitespace().next().unwrap();
        assert!(macros.insert(name), "{name} is defined twice");
        assert!(name.starts_with("VOXLANE_"), "{name} has a foreign prefix");
    }
}

#[test]
fn versions_agree_with_the_package() {
    let header = header();
    let number = |name: &str| -> u32 {
        let prefix = format!("#define VOXLANE_{name} ");
        let line = header.lines().find_map(|line| line.strip_prefix(prefix.as_str())).expect(name);
        line.parse().unwrap()
    };
    let text = format!("{}.{}.{}", number("VERSION_MAJOR"), number("VERSION_MINOR"), number("VERSION_PATCH"));
    assert_eq!(text, env!("CARGO_PKG_VERSION"));
    let packed = number("VERSION_MAJOR") << 16 | number("VERSION_MINOR") << 8 | number("VERSION_PATCH");
    assert_eq!(voxlane_version(), packed);
    assert_eq!(voxlane_abi_version(), number("ABI_VERSION"));
}

macro_rules! layout {
    ($($which:literal $type:ident { $($field:ident),* $(,)? })*) => {{
        let mut lines = Vec::new();
        $(
            assert_eq!(voxlane_sizeof($which), size_of::<$type>());
            lines.push(format!("{} {} {}", stringify!($type), size_of::<$type>(), align_of::<$type>()));
            $(
                let size = field_size(|value: &$type| &raw const value.$field);
                lines.push(format!(
                    "{}.{} {} {size}", stringify!($type), stringify!($field), offset_of!($type, $field)
                ));
            )*
            // A field that is missing above is a mistake here, not a difference.
            #[allow(dead_code)]
            fn $type(value: $type) {
                let $type { $($field: _),* } = value;
            }
        )*
        lines
    }};
}

fn field_size<S, F>(_: impl Fn(&S) -> *const F) -> usize {
    size_of::<F>()
}

#[test]
fn structs_have_one_layout_in_rust_and_c() {
    let rust = layout! {
        1 voxlane_array { data, shape, stride, dtype }
        2 voxlane_array_mut { data, shape, stride, dtype }
        3 voxlane_steepest_options {
            struct_size, direction, minima, border, isa, threads, reserved, spacing, weights, mask, slope, planes,
            progress, progress_user,
        }
        4 voxlane_gaussians {
            count, dtype, reserved, centers, center_stride, amplitudes, amplitude_stride, sigmas, sigma_stride,
        }
        5 voxlane_grid { values, origin, spacing }
        6 voxlane_gaussian_options {
            struct_size, normalization, support, sampling, periodic, accumulate, isa, threads, reserved, eps,
            progress, progress_user,
        }
    };
    if cfg!(target_pointer_width = "64") {
        // The contract's own numbers.
        let sizes: Vec<_> = (1..=6).map(|which| voxlane_sizeof(which)).collect();
        assert_eq!(sizes, [64, 64, 120, 80, 112, 72]);
    }
    for (compiler, standard) in [("gcc", "c99"), ("g++", "c++17"), ("clang", "c11")] {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("layout-{compiler}"));
        let language = if standard.starts_with("c++") { "c++" } else { "c" };
        let compiled = Command::new(compiler)
            .args([&format!("-std={standard}"), "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", language])
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join("tests/c/layout.c"))
            .arg("-o")
            .arg(&program)
            .status()
            .unwrap_or_else(|error| panic!("{compiler}: {error}"));
        assert!(compiled.success(), "{compiler} does not compile layout.c");
        let output = Command::new(&program).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), rust, "{compiler}");
    }
}
