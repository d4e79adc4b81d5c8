//! The current settings as a gst-launch-1.0 command.

use serde_json::Value;

/// An element with its properties: `convfilter filter=blur`.
pub fn element(name: &str, properties: &[(&str, Value)]) -> String {
    let set = properties.iter().map(|(name, value)| format!(" {name}={}", quoted(value)));
    [name.to_owned()].into_iter().chain(set).collect()
}

/// The whole command: a source, elements and a window.
pub fn command(source: &str, elements: &[String]) -> String {
    let source = [source.to_owned(), "queue leaky=downstream max-size-buffers=1".to_owned()];
    let sink = ["videoconvert".to_owned(), "autovideosink sync=false".to_owned()];
    let converted = elements.iter().flat_map(|element| ["videoconvert".to_owned(), element.clone()]);
    let parts: Vec<_> = source.into_iter().chain(converted).chain(sink).collect();
    format!("gst-launch-1.0 {}", parts.join(" ! "))
}

/// A value, quoted for a shell and for gst-launch's parser.
fn quoted(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    let for_gst = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("'\"{}\"'", for_gst.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_and_gst_launch_leave_values_unchanged() {
        gst::init().unwrap();
        for text in ["1 1 0; 1 1 -1", "it's \"that\"", r"back\slash", "päth/with space.jpg", ""] {
            let words = format!("printf %s {}", quoted(&text.into()));
            let output = std::process::Command::new("sh").args(["-c", &words]).output().unwrap();
            let word = String::from_utf8(output.stdout).unwrap();
            let structure: gst::Structure = format!("x, y=(string){word}").parse().unwrap();
            assert_eq!(structure.get::<String>("y").unwrap(), text);
        }
    }
}
