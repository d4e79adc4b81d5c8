//! Tells the engine's library where libtorch lies on this machine, and compiles what is in C++.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=src/memory/pool.cpp");
    let libtorch = std::env::var("LIBTORCH").unwrap_or("/usr".into());
    let libtorch = Path::new(&libtorch);
    // The folder behind scripts/setup's links: libtorch_cpu.so finds its own neighbours from there.
    if let Ok(library) = libtorch.join("lib/libtorch_cpu.so").canonicalize()
        && let Some(folder) = library.parent()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    // Warnings in libtorch's own headers are not ours.
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .flag("-isystem")
        .flag(libtorch.join("include").display().to_string())
        .file("src/memory/pool.cpp")
        .compile("style_engine_memory");
}
