"""Prints a Markdown table of networks' quality, measured by VGG19 to conv3_1 at equal steps and content loss, and of
their speed. Their pictures are written side by side to target/bench-networks. Run by scripts/bench."""

import argparse
import math
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench_style import STEPS, run
from painting import COMPACT, ROOT, SHARED, judge, picture, repaint, sheet

OUT = ROOT / "target/bench-networks"
DISTILL = ROOT / "target/release/distill"
JUDGE = SHARED / "weights/vgg19-conv3_1.safetensors"
# The built-in network was not trained with these pictures.
PAIRS = [(content, style) for content in ["golden_gate.jpg", "chelsea.png", "tubingen.jpg"]
         for style in ["starry_night.jpg", "the_scream.jpg"]]
# The other networks' pictures must have the content loss of the judge's own pictures. The content weight for that is
# found by bisection between these factors of the default.
MIN_FACTOR, MAX_FACTOR, HALVINGS = 1 / 8, 512, 7
TIMED = 384, 288
ROUNDS = 5


class Painted(NamedTuple):
    picture: np.ndarray
    style_loss: float
    content_loss: float


def paint(network: Path, content: np.ndarray, style: np.ndarray, factor: float) -> Painted:
    painted = repaint(content[None], style, f"weights={network}", f"content-weight={2 * factor}").film
    judged = judge(painted, content[None], style, f"weights={JUDGE}")[0]
    return Painted(painted[0], judged["moments"], judged["content"])


def paint_to(content_loss: float, network: Path, content: np.ndarray, style: np.ndarray) -> Painted:
    low, high = MIN_FACTOR, MAX_FACTOR
    for _ in range(HALVINGS):
        factor = math.sqrt(low * high)
        painted = paint(network, content, style, factor)
        if painted.content_loss > content_loss:
            low = factor
        else:
            high = factor
    return painted


def milliseconds(networks: dict[str, Path]) -> dict[str, list[float]]:
    """The times of a step. The networks alternate."""
    times: dict[str, list[float]] = {name: [] for name in networks}
    for number in range(ROUNDS):
        for name in sorted(networks, reverse=number % 2 == 1):
            times[name] += run(STEPS, *TIMED, 4, 3, f"weights={networks[name]}")["ms"]
    return times


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench networks")
    parser.add_argument("networks", nargs="*", help="NAME=FILE: further networks to compare")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller pictures")
    options = parser.parse_args()
    pairs, longest = (PAIRS[::3], 256) if options.quick else (PAIRS, 384)
    OUT.mkdir(parents=True, exist_ok=True)
    seeded, built_in = OUT / "seeded.safetensors", OUT / "built-in.safetensors"
    topology = ["channels=24/48/96,96/96", "start=seed", "steps=0"]
    subprocess.run([DISTILL, SHARED / "images/content", seeded, JUDGE, COMPACT, *topology], check=True)
    run(STEPS, 64, 64, 1, 1, f"write={built_in}")
    networks = {
        "seeded": seeded,
        "built-in": built_in,
        **{name: Path(path) for name, path in (option.split("=", 1) for option in options.networks)},
        "compact": COMPACT,
        "VGG19 to conv3_1": JUDGE,
    }
    times = milliseconds(networks)
    style_losses: dict[str, list[float]] = {name: [] for name in networks}
    rows = []
    for content_name, style_name in pairs:
        content = picture(SHARED / "images/content" / content_name, longest)
        style = picture(SHARED / "images/style" / style_name, longest)
        judged = paint(JUDGE, content, style, 1)
        row = [content]
        for name, network in networks.items():
            painted = judged if network == JUDGE else paint_to(judged.content_loss, network, content, style)
            style_losses[name].append(painted.style_loss)
            row.append(painted.picture)
        rows.append(row)
    print("| network | " + " | ".join(f"{Path(c).stem}, {Path(s).stem}" for c, s in pairs)
          + " | times VGG19's | times the seeded one's | ms a step |")
    print("| --- |" + " ---: |" * (len(pairs) + 3))
    for name, losses in style_losses.items():
        ratios = [math.exp(statistics.mean(math.log(a / b) for a, b in zip(losses, style_losses[other])))
                  for other in ("VGG19 to conv3_1", "seeded")]
        took = f"{statistics.median(times[name]):.1f} ({min(times[name]):.1f} to {max(times[name]):.1f})"
        print(f"| {name} | " + " | ".join(f"{loss:.4f}" for loss in losses)
              + f" | {ratios[0]:.2f} | {ratios[1]:.3f} | {took} |")
    sheet(OUT / "side-by-side.png", rows)
    print(f"\nFrom left to right: the content, {', '.join(networks)}.")


if __name__ == "__main__":
    main()
