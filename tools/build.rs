//! The tools find libtorch where the engine was built with it.

fn main() {
    if let Ok(folder) = std::env::var("DEP_STYLE_ENGINE_CPP_LIBTORCH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
