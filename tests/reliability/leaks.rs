//! Leaks of objects, which GStreamer's own leaks tracer finds.

use common::scratch;

use crate::failing::{launch, run};
use crate::{elements, report};

#[test]
#[ignore = "needs scripts/build"]
fn no_object_is_left_after_a_stream() {
    let folder = scratch("reliability-leaks");
    let mut cases = 0;
    // The last element ends with an error, since it has no style.
    for element in elements().into_iter().chain(["convfilter".into(), "styletransfer".into()]) {
        for source in
            ["videotestsrc num-buffers=5", "videotestsrc num-buffers=5 ! video/x-raw,interlace-mode=interleaved"]
        {
            let mut command = launch(&folder, &format!("{source} ! {element} ! fakesink"));
            let (text, _) = run(command.env("GST_TRACERS", "leaks").env("GST_DEBUG", "GST_TRACER:7"));
            assert!(text.contains("object-removed"), "the tracer does not run: {text}");
            let left: Vec<_> = text
                .lines()
                .filter(|line| line.contains("object-alive, ") && !line.contains("new format string"))
                .collect();
            assert!(left.is_empty(), "{element}: {left:#?}");
            cases += 1;
        }
    }
    report("GStreamer's leaks tracer after a stream, also after an error", cases, "no object is left");
}
