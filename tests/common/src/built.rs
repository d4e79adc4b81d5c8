//! The files that tests use: the libraries and programs as they were built, and others in the repository.

use std::path::{Path, PathBuf};

/// The repository. The variable GPU_CHECK_ROOT, which scripts/gpu-check sets, names a folder with parts of it instead.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this is tests/common");
    packed().unwrap_or(root.into())
}

/// The folder of scripts/gpu-check, which has what was built, but not its sources.
fn packed() -> Option<PathBuf> {
    std::env::var_os("GPU_CHECK_ROOT").map(PathBuf::from)
}

/// A file of real pictures or films, which are too large for the repository. Tests that need one have "real" in their
/// names, so that scripts/test can leave them out.
pub fn real(file: &str) -> PathBuf {
    let path = root().join("../shared").join(file);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// The folder where cargo puts what it builds: target/release.
fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors().nth(2).expect("tests are in target/<profile>/deps").into()
}

/// The folder where `scripts/build` puts the libraries, laid out as in an installation.
pub fn stage() -> PathBuf {
    let stage = folder().join("stage");
    assert!(stage.exists(), "{} is missing: run scripts/build, and this test with --release", stage.display());
    if packed().is_none() {
        for library in ["libgststylefilter.so", "libstyle_engine.so"] {
            assert_current(&folder().join(library));
        }
    }
    stage
}

/// Fails if a source was changed after a library was built from it: the test would not see the change. cargo writes the
/// list of the sources beside the library.
fn assert_current(library: &Path) {
    let modified = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let sources = std::fs::read_to_string(library.with_extension("d")).expect("cargo lists the library's sources");
    // Each line is `library: source source ...`; spaces in paths follow a backslash.
    let sources = sources.replace("\\ ", "\0");
    let paths = sources.split_whitespace().filter(|word| !word.ends_with(':')).map(|path| path.replace('\0', " "));
    for source in paths {
        let is_current = modified(Path::new(&source)).is_some_and(|changed| Some(changed) <= modified(library));
        assert!(is_current, "{} is older than {source}: run scripts/build", library.display());
    }
}

/// The plugin's file.
pub fn plugin() -> PathBuf {
    stage().join("lib/gstreamer-1.0/libgststylefilter.so")
}

/// The path of a program of apps/. cargo builds it with its package's tests, scripts/cluster builds what it runs.
pub fn app(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.exists(), "{} is missing: run cargo build --release -p {name}", path.display());
    path
}

/// The path of a program of examples/, which only a `cargo test` without `--test` builds.
pub fn example(name: &str) -> PathBuf {
    let program = folder().join("examples").join(name);
    let source = root().join(format!("examples/{name}.rs"));
    let [built, written] = [&program, &source].map(|file| file.metadata().and_then(|file| file.modified()).ok());
    assert!(built >= written, "{} is missing or outdated: run cargo build --release --examples", program.display());
    program
}

/// An empty folder for a test's files.
pub fn scratch(name: &str) -> PathBuf {
    let scratch = folder().with_file_name("tmp").join(name);
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).expect("the scratch folder can be emptied");
    }
    std::fs::create_dir_all(&scratch).expect("the scratch folder can be made");
    scratch
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// Writes a library, which is newer or older than its source.
    fn library(name: &str, is_newer: bool) -> PathBuf {
        let folder = scratch(name).join("a folder");
        std::fs::create_dir(&folder).expect("made");
        let [source, library] = ["source.rs", "library.so"].map(|file| folder.join(file));
        for (path, seconds) in [(&source, 1), (&library, if is_newer { 2 } else { 0 })] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::create(path).and_then(|file| file.set_modified(time)).expect("written");
        }
        let [written, built] = [&source, &library].map(|path| path.display().to_string().replace(' ', "\\ "));
        std::fs::write(library.with_extension("d"), format!("{built}: {written}\n")).expect("written");
        library
    }

    #[test]
    fn a_library_that_is_newer_than_its_source_is_current() {
        assert_current(&library("newer-library", true));
    }

    #[test]
    #[should_panic(expected = "a folder/source.rs: run scripts/build")]
    fn a_library_that_is_older_than_its_source_is_refused() {
        assert_current(&library("older-library", false));
    }

    #[test]
    #[should_panic(expected = "a folder/source.rs: run scripts/build")]
    fn a_library_whose_source_was_removed_is_refused() {
        let library = library("library-without-source", true);
        std::fs::remove_file(library.with_file_name("source.rs")).expect("removed");
        assert_current(&library);
    }
}
