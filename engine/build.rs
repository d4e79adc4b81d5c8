//! Tells the engine's library where libtorch lies on this machine.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // The folder behind scripts/setup's links: libtorch_cpu.so finds its own neighbours from there.
    let libtorch = std::env::var("LIBTORCH").unwrap_or("/usr".into());
    if let Ok(library) = Path::new(&libtorch).join("lib/libtorch_cpu.so").canonicalize()
        && let Some(folder) = library.parent()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
}
