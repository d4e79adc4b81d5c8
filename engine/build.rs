//! Sets the engine library's search path for libtorch on this machine, and compiles the C++ sources.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let sources = [
        "src/convolution/onednn.cpp",
        "src/instance_norm/norm.cpp",
        "src/memory/pool.cpp",
        "src/parallel/each.cpp",
        "src/pooling/max.cpp",
    ];
    for source in sources {
        println!("cargo::rerun-if-changed={source}");
    }
    let libtorch = std::env::var("LIBTORCH").unwrap_or("/usr".into());
    let libtorch = Path::new(&libtorch);
    // The real folder behind scripts/setup's links, in which libtorch_cpu.so finds its own dependencies.
    if let Ok(library) = libtorch.join("lib/libtorch_cpu.so").canonicalize()
        && let Some(folder) = library.parent()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
        // For tools/build.rs: link arguments are only for this package.
        println!("cargo::metadata=libtorch={}", folder.display());
    }
    // -isystem suppresses warnings in libtorch's headers. -fopenmp: libtorch's threads are those of GCC's OpenMP.
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
