//! The search for a weight file if the user names none.

use std::ffi::OsString;
use std::path::PathBuf;

/// File names in the folder `stylefilter` of the user's data, in the order of preference.
const NAMES: [&str; 6] = ["vgg19.safetensors", "vgg19.pth", "vgg19.ot", "vgg16.safetensors", "vgg16.pth", "vgg16.ot"];

/// The file that torchvision downloads when VGG19 is first used, in torch's folder.
const TORCHVISION: &str = "hub/checkpoints/vgg19-dcbb9e9d.pth";

/// The user's weight file: `$STYLEFILTER_WEIGHTS`, even if it does not exist; else the first existing file of
/// `vgg19.safetensors`, `vgg19.pth`, `vgg19.ot` and the same for `vgg16` in `$XDG_DATA_HOME/stylefilter`
/// (`~/.local/share/stylefilter`), and of torchvision's download in `$TORCH_HOME` (`~/.cache/torch`).
pub fn find() -> Option<PathBuf> {
    find_in(|name| std::env::var_os(name))
}

/// [`find`] with the given environment variables.
pub fn find_in(environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let variable = |name| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let in_home = |folder| Some(variable("HOME")?.join(folder));
    if let Some(named) = variable("STYLEFILTER_WEIGHTS") {
        return Some(named);
    }
    let data = variable("XDG_DATA_HOME").or_else(|| in_home(".local/share"));
    let cache = || variable("XDG_CACHE_HOME").or_else(|| in_home(".cache"));
    let torch = variable("TORCH_HOME").or_else(|| Some(cache()?.join("torch")));

    let own = data.into_iter().flat_map(|data| NAMES.map(|name| data.join("stylefilter").join(name)));
    own.chain(torch.map(|torch| torch.join(TORCHVISION))).find(|path| path.is_file())
}
