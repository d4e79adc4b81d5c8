"""Prints Markdown tables of dreams on film: how steady they are, how much is dreamt, and what a frame takes. Run by
scripts/bench.

E_warp is measured as by bench_stability.py, with OpenCV's optical flow. "Dreamt" is the mean change of a sample from
the film, relative to frames that are dreamt apart: below 1 the dream fades, above 1 it grows. Contact sheets are
written to target/bench-dream.
"""

import argparse

import numpy as np
from bench_stability import HEIGHT, WIDTH, e_warp, estimated
from painting import ROOT, SHARED, Result, clip, picture, repaint, sheet, table

OUT = ROOT / "target/bench-dream"
EVERY = 4  # every fourth frame of the clip: five a second
FRAMES = 50  # ten seconds
SHOWN = 8  # frames on a contact sheet
NO_STYLE = np.zeros((0, 0, 3), np.uint8)
LOOK = ["content-layers=conv3_1", "channels=1,6"]  # of the presets dream and tunnel
TUNNEL = ["zoom=1.02", "rotate=0.3"]


def dream(film: np.ndarray, *options: str) -> Result:
    return repaint(film, NO_STYLE, "recipe=deepdream", *LOOK, *options)


def dreamt(result: np.ndarray, film: np.ndarray) -> float:
    """The mean change of a sample in the second half of a film."""
    half = len(film) // 2
    return float(np.abs(result[half:].astype(np.int16) - film[half:]).mean())


def contact_sheet(name: str, *films: np.ndarray) -> None:
    shown = np.linspace(0, len(films[0]) - 1, SHOWN).round().astype(int)
    sheet(OUT / f"{name}.jpg", [[film[index] for index in shown] for film in films], 180)


def of_clip(film: np.ndarray, runs: dict[str, list[str]]) -> str:
    flow = estimated(film)
    results = {name: dream(film, *options) for name, options in runs.items()}
    apart = next(iter(results.values()))
    errors = {name: e_warp(result.film, flow) for name, result in results.items()}
    rows = [["the clip itself", f"{e_warp(film, flow):.5f}", *["-"] * 4]]
    for name, result in results.items():
        rows.append([
            name,
            f"{errors[name]:.5f}",
            f"{errors[name] / next(iter(errors.values())):.2f}",
            f"{dreamt(result.film, film) / dreamt(apart.film, film):.2f}",
            f"{result.mean('steps'):.0f}",
            f"{result.mean('ms'):.0f}",
        ])
    contact_sheet("clip", film, *(result.film for result in results.values()))
    return table(["", "E_warp", "of apart", "dreamt", "steps", "ms a frame"], rows)


def of_tunnel(frames: int) -> str:
    still = picture(SHARED / "images/content/golden_gate.jpg", WIDTH)
    result = dream(np.repeat(still[None], frames, 0), *TUNNEL)
    contact_sheet("tunnel", result.film)
    return f"A still of {still.shape[1]} x {still.shape[0]}, {' '.join(TUNNEL)}: {result.mean('ms'):.0f} ms a frame."


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench dream")
    parser.add_argument("--quick", action="store_true", help="fewer frames and fewer rows")
    options = parser.parse_args()
    frames = 20 if options.quick else FRAMES
    film = clip(SHARED / "video/cockatoo.mp4", EVERY * frames, WIDTH, HEIGHT)[::EVERY]
    runs = {"each frame by itself": ["warm-start=none"], "along the flow": []}
    if not options.quick:
        runs["temporal-weight=4"] = ["temporal-weight=4"]
        runs["in place: warm-start=previous"] = ["warm-start=previous"]
    device = dream(film[:1], "first-iterations=1").lines[0]["device"]
    print(f"A clip of {len(film)} frames of {WIDTH} x {HEIGHT}, {20 // EVERY} a second, on {device}, with the built-in")
    print(f"network and {' '.join(LOOK)}.\n")
    print(of_clip(film, runs))
    print(f"\n{of_tunnel(frames)}")


if __name__ == "__main__":
    main()
