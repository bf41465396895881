//! Compiles the kernels in assembly. Without a C compiler they are left out, and others take their place.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rustc-check-cfg=cfg(assembly, test_panic)");
    println!("cargo:rerun-if-changed=build.rs");
    let target = |part| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // The files are for ELF, its calling convention, 64-bit pointers and little-endian vectors.
    let fits = target("ARCH") == "aarch64"
        && ["linux", "android"].contains(&target("OS").as_str())
        && (target("ENDIAN"), target("POINTER_WIDTH")) == ("little".into(), "64".into());
    if !fits {
        return;
    }
    let folder = PathBuf::from("kernels/aarch64");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut build = cc::Build::new();
    build.files(["a53", "a55"].map(|core| folder.join(format!("f32_pw_8x8_neon_{core}.S"))));
    match build.cargo_warnings(false).try_compile("shufflenet_kernels") {
        Ok(()) => println!("cargo:rustc-cfg=assembly"),
        Err(error) => println!("cargo:warning=kernels in assembly are left out: {error}"),
    }
}
