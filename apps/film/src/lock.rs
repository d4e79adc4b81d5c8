//! The lock that keeps two runs from writing the same output.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Outcome;

/// A locked file beside the output, `film.mkv.lock`. It is removed at the end of the run; after a crash it stays, but
/// is no longer locked.
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Locks `output`; an error if another run has locked it.
    pub fn take(output: &Path) -> Outcome<Self> {
        let mut name = output.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let cannot_write = |error: io::Error| format!("cannot write {}: {error}", output.display());
        loop {
            let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(cannot_write)?;
            if file.metadata()?.len() > 0 {
                let (path, output) = (path.display(), output.display());
                return Err(format!("{path} is in the way of {output}, and not of this program: rename it").into());
            }
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    let advice = "wait until it ends, or choose another output";
                    return Err(format!("another run is writing {}: {advice}", output.display()).into());
                }
                // A file system without locks.
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                    return Err(cannot_write(error).into());
                }
                _ => (),
            }
            // The run that held the lock before may have removed the file since it was opened.
            if is_at(&file, &path) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the file is still locked. If it cannot be removed, it does not disturb later runs.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the file's path is still this one.
fn is_at(file: &File, path: &Path) -> bool {
    let [open, found] = [file.metadata(), path.metadata()].map(|file| file.map(|file| (file.dev(), file.ino())).ok());
    open.is_some() && open == found
}
