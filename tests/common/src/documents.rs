//! The manual page and the shell completions of a program, in packaging. They are generated from its options;
//! `UPDATE_DOCS=1`, which scripts/docs sets, writes them.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::root;

/// A command for the manual.
pub struct Example {
    /// The arguments.
    pub command: &'static str,
    /// A sentence.
    pub effect: &'static str,
}

/// Fails if a program's files in packaging disagree with its options. `name` is that of the installed program.
pub fn check(name: &'static str, program: Command, examples: &[Example]) {
    let program = program.name(name).bin_name(name);
    let packaging = root().join("packaging");
    compare(packaging.join(format!("man/{name}.1")), manual(&program, examples));
    for (shell, file) in [
        (Shell::Bash, format!("bash/{name}")),
        (Shell::Zsh, format!("zsh/_{name}")),
        (Shell::Fish, format!("fish/{name}.fish")),
    ] {
        let mut completion = Vec::new();
        clap_complete::generate(shell, &mut program.clone(), name, &mut completion);
        compare(packaging.join("completions").join(file), completion);
    }
}

fn manual(program: &Command, examples: &[Example]) -> Vec<u8> {
    let man = Man::new(program.clone()).manual("stylefilter");
    let mut page = Vec::new();
    let rendered = man
        .render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page));
    let mut rest = Roff::new();
    rest.control("SH", ["EXAMPLES"]);
    for Example { command, effect } in examples {
        rest.control("TP", []).text([bold(format!("{} {command}", program.get_name()).trim())]).text([roman(*effect)]);
    }
    rest.control("SH", ["SEE ALSO"]).text([
        bold("gst-inspect-1.0"),
        roman("(1), for the properties of convfilter and styletransfer; "),
        roman("/usr/share/doc/gst-plugin-stylefilter"),
    ]);
    rendered.and_then(|()| rest.to_writer(&mut page)).expect("memory can be written");
    page
}

/// Compares a file with what it should be, or writes it.
fn compare(path: PathBuf, content: Vec<u8>) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, content).expect("written");
    } else {
        let is_current = std::fs::read(&path).is_ok_and(|written| written == content);
        assert!(is_current, "{} does not agree with the program's options: run scripts/docs", path.display());
    }
}
