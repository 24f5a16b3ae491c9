//! Generates the C header from `src/ffi`, and names the shared library.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Number of the binary interface: in the SONAME, and what `voxlane_abi_version` answers.
const ABI: &str = "1";

/// The C face, in the order of the header. Not mod.rs: cbindgen follows its modules and writes everything twice.
const SOURCES: [&str; 6] = [
    "src/ffi/status.rs",
    "src/ffi/array.rs",
    "src/ffi/progress.rs",
    "src/ffi/steepest.rs",
    "src/ffi/gaussians.rs",
    "src/ffi/runtime.rs",
];

fn main() {
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=include/voxlane.h");
    println!("cargo::rustc-env=VOXLANE_ABI={ABI}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let generated = out.join("voxlane.h");
    fs::write(&generated, header(&root)).expect("OUT_DIR is writable");
    publish(&generated, &root.join("include/voxlane.h"));
    name_the_library();
}

fn header(root: &Path) -> String {
    let version = |part: &str| env::var(format!("CARGO_PKG_VERSION_{part}")).expect("set by cargo");
    let (major, minor, patch) = (version("MAJOR"), version("MINOR"), version("PATCH"));
    let macros = format!(
        "\n/** Version of this header. */\n\
         #define VOXLANE_VERSION_MAJOR {major}\n\
         #define VOXLANE_VERSION_MINOR {minor}\n\
         #define VOXLANE_VERSION_PATCH {patch}\n\
         #define VOXLANE_VERSION (VOXLANE_VERSION_MAJOR << 16 | VOXLANE_VERSION_MINOR << 8 | VOXLANE_VERSION_PATCH)\n\
         #define VOXLANE_ABI_VERSION {ABI}"
    );
    let prologue = fs::read_to_string(root.join("src/ffi/prologue.h")).expect("part of the source");
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        cpp_compat: true,
        header: Some(prologue.trim_end().to_string()),
        include_guard: Some("VOXLANE_H".to_string()),
        after_includes: Some(macros),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_string(), "stdint.h".to_string()],
        usize_is_size_t: true,
        style: cbindgen::Style::Both,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        line_length: 110,
        ..Default::default()
    };
    // From single files: for a crate, cbindgen would run cargo, and write a lock file.
    let sources = SOURCES.iter().map(|source| root.join(source));
    let builder = sources.fold(cbindgen::Builder::new().with_config(config), |b, s| b.with_src(s));
    let mut text = Vec::new();
    builder.generate().expect("src/ffi is plain enough for cbindgen").write(&mut text);
    let text = String::from_utf8(text).expect("cbindgen writes UTF-8");
    with_c_comments(&without_safety_sections(&text))
}

/// The comments that cbindgen writes behind a line, as C90 has them.
fn with_c_comments(text: &str) -> String {
    let line = |line: &str| match line.split_once("// ") {
        Some((code, comment)) if matches!(code.trim_end(), "}" | "#endif") => {
            format!("{code}/* {comment} */\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Rust's `# Safety` paragraphs say to Rust what the prose at the top of the header says to C.
fn without_safety_sections(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim() == "* # Safety" {
            inside = true;
            while kept.last().is_some_and(|last| last.trim() == "*") {
                kept.pop();
            }
        }
        inside &= line.trim() != "*/";
        if !inside {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

/// Copies the header into the source tree if it differs and the tree is a checkout: a packaged crate's source must
/// not be touched by its build.
fn publish(generated: &Path, header: &Path) {
    let checkout = header.ancestors().nth(2).is_some_and(|root| root.join(".git").exists());
    if !checkout || env::var_os("DOCS_RS").is_some() {
        return;
    }
    let text = fs::read(generated).expect("just written");
    if fs::read(header).is_ok_and(|old| old == text) {
        return;
    }
    let written = header.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(header, text));
    if let Err(error) = written {
        println!("cargo::warning=include/voxlane.h is out of date and cannot be written: {error}");
    }
}

/// SONAME or install name with the ABI number, which cargo-c gives by itself; never unloaded, as helper threads may
/// still sleep in its code. (Windows: `process::stay_loaded`. macOS keeps libraries with thread-local variables.)
fn name_the_library() {
    let named_by_cargo_c = env::var_os("CARGO_FEATURE_CAPI").is_some();
    let family = env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    let vendor = env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    if vendor == "apple" {
        if !named_by_cargo_c {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libvoxlane.{ABI}.dylib");
        }
    } else if family == "unix" {
        if !named_by_cargo_c {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libvoxlane.so.{ABI}");
        }
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
