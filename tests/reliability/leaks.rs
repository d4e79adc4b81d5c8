//! What GStreamer's own leaks tracer finds after a stream.

use crate::common::scratch;
use crate::failing::{launch, run};
use crate::{elements, report};

#[test]
fn nothing_is_left_of_a_stream() {
    let folder = scratch("reliability-leaks");
    let mut cases = 0;
    // The last one ends with an error.
    for element in elements().into_iter().chain(["convfilter".into(), "styletransfer".into()]) {
        for source in
            ["videotestsrc num-buffers=5", "videotestsrc num-buffers=5 ! video/x-raw,interlace-mode=interleaved"]
        {
            let mut command = launch(&folder, &format!("{source} ! {element} ! fakesink"));
            let (text, _) = run(command.env("GST_TRACERS", "leaks").env("GST_DEBUG", "GST_TRACER:7"));
            assert!(text.contains("object-removed"), "the tracer runs: {text}");
            let left: Vec<_> = text
                .lines()
                .filter(|line| line.contains("object-alive, ") && !line.contains("new format string"))
                .collect();
            assert!(left.is_empty(), "{element}: {left:#?}");
            cases += 1;
        }
    }
    report("GStreamer's leaks tracer after a stream, one with an error among them", cases, "nothing is left");
}
