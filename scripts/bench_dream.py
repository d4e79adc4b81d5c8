"""Prints Markdown tables of dreams on film: how steady they are, how much is dreamt, and what a frame takes. Run by
scripts/bench.

E_warp is measured as by bench_stability.py: on a camera's clip along OpenCV's optical flow (DIS) and along the engine's
own, on films made of photographs along their exact motion. "Dreamt" is the mean change of a sample from the film,
relative to frames that are dreamt apart: below 1 the dream fades, above 1 it grows. Contact sheets are written to
target/bench-dream.
"""

import argparse

import numpy as np
from bench_stability import HEIGHT, MOTIONS, WIDTH, Flow, e_warp, engine_flow, estimated, exact
from painting import FILES, ROOT, SHARED, Result, clip, picture, repaint, sheet, table

OUT = ROOT / "target/bench-dream"
FRAMES = 200  # ten seconds of the clip
SHOWN = 8  # frames on a contact sheet
NO_STYLE = np.zeros((0, 0, 3), np.uint8)
TUNNEL = ["zoom=1.02", "rotate=0.3", "temporal-weight=19"]
APART = ["warm-start=none"]


def dream(film: np.ndarray, *options: str) -> Result:
    return repaint(film, NO_STYLE, "recipe=deepdream", *options)


def dreamt(result: np.ndarray, film: np.ndarray) -> float:
    """The mean change of a sample in the second half of a film."""
    half = len(film) // 2
    return float(np.abs(result[half:].astype(np.int16) - film[half:]).mean())


def contact_sheet(name: str, *films: np.ndarray) -> None:
    shown = np.linspace(0, len(films[0]) - 1, SHOWN).round().astype(int)
    sheet(OUT / f"{name}.jpg", [[film[index] for index in shown] for film in films], 180)


def of_clip(film: np.ndarray, flows: list[Flow], runs: dict[str, list[str]]) -> str:
    results = {name: dream(film, *options) for name, options in runs.items()}
    apart = next(iter(results.values()))
    errors_apart = [e_warp(apart.film, flow) for flow in flows]
    itself = [text for flow in flows for text in (f"{e_warp(film, flow):.5f}", "-")]
    rows = [["the clip itself", *itself, *["-"] * 3]]
    for name, result in results.items():
        errors = [e_warp(result.film, flow) for flow in flows]
        rows.append([
            name,
            *[text for own, base in zip(errors, errors_apart) for text in (f"{own:.5f}", f"{own / base:.2f}")],
            f"{dreamt(result.film, film) / dreamt(apart.film, film):.2f}",
            f"{result.mean('steps'):.0f}",
            f"{result.mean('ms'):.0f}",
        ])
    contact_sheet("clip", film, *(result.film for result in results.values()))
    flow_columns = ["E_warp, DIS", "of apart", "E_warp, own flow", "of apart"]
    return table(["", *flow_columns, "dreamt", "steps", "ms a frame"], rows)


def of_motions() -> str:
    photograph = picture(SHARED / "images/content/tubingen.jpg", 900)
    occluder = picture(SHARED / "images/content/chelsea.png", 420)
    rows = []
    for motion in MOTIONS:
        film, flow = exact(motion, photograph, occluder)
        apart, along = dream(film, *APART), dream(film)
        errors = [e_warp(frames, flow) for frames in (film, apart.film, along.film)]
        share = dreamt(along.film, film) / dreamt(apart.film, film)
        rows.append([motion.name, *[f"{error:.5f}" for error in errors], f"{errors[2] / errors[1]:.2f}", f"{share:.2f}"])
        contact_sheet(motion.name.replace(" ", "-"), film, apart.film, along.film)
    return table(["motion", "the film itself", "apart", "along the flow", "of apart", "dreamt"], rows)


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
    film = clip(SHARED / "video/cockatoo.mp4", frames, WIDTH, HEIGHT)
    device = dream(film[:1], "first-iterations=1").lines[0]["device"]
    FILES.mkdir(parents=True, exist_ok=True)
    flows = [estimated(film), engine_flow(film, film[0])]
    print(f"A clip of {len(film)} frames of {WIDTH} x {HEIGHT}, 20 a second, on {device}, with the built-in network.\n")
    runs = {"each frame by itself": APART, "along the flow": []}
    if not options.quick:
        runs |= {f"temporal-weight={weight}": [f"temporal-weight={weight}"] for weight in (4, 19)}
        runs["in place: warm-start=previous"] = ["warm-start=previous"]
    print(of_clip(film, flows, runs), flush=True)
    if not options.quick:
        print(f"\nFilms with known motion:\n\n{of_motions()}", flush=True)
    print(f"\n{of_tunnel(frames)}")


if __name__ == "__main__":
    main()
