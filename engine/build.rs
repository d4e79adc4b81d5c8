//! Tells the engine's library where libtorch lies on this machine, and compiles what is in C++.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let sources = ["src/convolution/onednn.cpp", "src/memory/pool.cpp", "src/parallel/both.cpp", "src/pooling/max.cpp"];
    for source in sources {
        println!("cargo::rerun-if-changed={source}");
    }
    let libtorch = std::env::var("LIBTORCH").unwrap_or("/usr".into());
    let libtorch = Path::new(&libtorch);
    // The folder behind scripts/setup's links: libtorch_cpu.so finds its own neighbors from there.
    if let Ok(library) = libtorch.join("lib/libtorch_cpu.so").canonicalize()
        && let Some(folder) = library.parent()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    // Warnings in libtorch's own headers are not ours. libtorch's threads are those of GCC's OpenMP.
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .flag("-fopenmp")
        .flag("-isystem")
        .flag(libtorch.join("include").display().to_string())
        .files(sources)
        .compile("style_engine_cpp");
    println!("cargo::rustc-link-lib=gomp");
}
