"""Prints Markdown tables of the speed and quality of feed-forward networks, beside PyTorch and the optimizer. Contact
sheets are written to target/bench-models. Run by scripts/bench.

PyTorch runs the same networks (engine/tests/models.py) eagerly, in f32, on as many threads; TORCH_PYTHON names a Python
with the engine's version of torch, without which its columns are empty. Programs alternate.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

import bench_stability as stability
import numpy as np
from bench_style import python
from painting import COMPACT, ROOT, SHARED, clip, judge, picture, repaint, sheet, table

OUT = ROOT / "target/bench-models"
CLIP = SHARED / "video/cockatoo.mp4"
PEER = ROOT / "engine/tests/models.py"
SIZE = 640, 360
SHOWN = [10, 30, 50]  # frames on contact sheets
# The models that come with the engine; pictures in images/style have the same names.
SHIPPED = ["starry-night", "the-scream", "shipwreck"]
CONTENTS = ["tubingen.jpg", "golden_gate.jpg", "chelsea.png"]


def style_of(name: str, longest: int) -> np.ndarray:
    return picture(SHARED / f"images/style/{name.replace('-', '_')}.jpg", longest)


def eager(peer: str, model: Path) -> list[float]:
    """The times of PyTorch's passes in milliseconds."""
    width, height = SIZE
    command = [peer, PEER, "time", model, str(height), str(width), "10"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def speed(models: dict[str, Path], film: np.ndarray, rounds: int) -> str:
    peer = python()
    # PyTorch cannot read safetensors by itself.
    readable = [model for model in models.values() if model.exists() and model.suffix != ".safetensors"]
    rows = []
    for name, model in models.items():
        ways = {"whole": [], "f32": ["precision=f32"], "network": ["warm-start=none"],
                "network in f32": ["warm-start=none", "precision=f32"]}
        times: dict[str, list[float]] = {way: [] for way in [*ways, "eager"]}
        for _ in range(rounds):
            for way, options in ways.items():
                times[way] += [line["ms"] for line in repaint(film, film[0], f"model={model}", *options).lines[3:]]
            times["eager"] += eager(peer, model) if peer and model in readable else []
        found = {way: median(values) for way, values in times.items()}
        theirs = [f"{found['eager']:.0f}", f"{found['eager'] / found['network']:.1f}",
                  f"{found['eager'] / found['network in f32']:.1f}"] if times["eager"] else ["-"] * 3
        rows.append([name, *[f"{found[way]:.0f}" for way in ways], f"{1000 / found['whole']:.0f}", *theirs])
    head = ["", "ms a frame", "in f32", "network alone", "in f32", "frames/s", "PyTorch, network alone",
            "PyTorch / ours", "in f32"]
    return table(head, rows)


def stability_of_clip(models: dict[str, Path], film: np.ndarray) -> str:
    """With the flicker damped and without: E_warp, and the sharpness of the frames relative to the network's own."""
    flow = stability.estimated(film)
    rows = [["the clip itself", f"{stability.e_warp(film, flow):.5f}", "-", "-", "-"]]
    for name, model in models.items():
        steady, apart = (repaint(film, film[0], f"model={model}", *options).film for options in ([], ["warm-start=none"]))
        errors = [stability.e_warp(frames, flow) for frames in (steady, apart)]
        sharp = [stability.sharpness(a) / stability.sharpness(b) for a, b in zip(steady[5::5], apart[5::5])]
        rows.append([name, *[f"{error:.5f}" for error in errors], f"{errors[0] / errors[1]:.2f}",
                     f"{statistics.mean(sharp):.2f} (from {min(sharp):.2f})"])
        sheet(OUT / f"clip-{name}.jpg", [[frames[at - 1] for at in SHOWN if at <= len(film)]
                                         for frames in (film, apart, steady)], 240)
    return table(["", "E_warp", "of frames apart", "ratio", "sharpness"], rows)


def beside_optimizer(models: dict[str, Path], film: np.ndarray) -> str:
    """Models, the optimizer, and both together: on the clip's frames."""
    flow = stability.estimated(film)
    rows = []
    for name, model in models.items():
        style = style_of(name, film.shape[2])
        runs = {"optimizer, K = 1": ["iterations=1"], "optimizer, K = 4": ["iterations=4"],
                "model": [f"model={model}"], "both, K = 1": [f"start={model}", "iterations=1"],
                "both, K = 4": [f"start={model}", "iterations=4"]}
        for run, options in runs.items():
            result = repaint(film, style, *options)
            tenth = slice(9, None, 10)
            lines = judge(result.film[tenth], film[tenth], style, f"weights={COMPACT}")
            rows.append([f"{name}: {run}", f"{result.lines[0]['ms']:.0f}", f"{result.mean('ms'):.0f}",
                         f"{stability.e_warp(result.film, flow):.5f}",
                         *[f"{statistics.mean(line[what] for line in lines):.4f}" for what in ("moments", "sliced")],
                         f"{statistics.mean(line['content'] for line in lines):.2f}"])
    return table(["", "first frame, ms", "ms a frame", "E_warp", "mean + covariance", "sliced", "content"], rows)


def steps_saved(models: dict[str, Path], longest: int) -> str:
    """The loss of the optimizer's first frame after some steps, from the content and from a model's picture."""
    rows = []
    for name, model in models.items():
        for content_name in CONTENTS:
            content, style = picture(SHARED / "images/content" / content_name, longest), style_of(name, longest)
            cells = []
            for steps in (15, 30, 60, 120):
                for start in ([], [f"start={model}"]):
                    result = repaint(content[None], style, f"first-iterations={steps}", *start)
                    line = judge(result.film, content[None], style, f"weights={COMPACT}")[0]
                    cells.append(f"{result.lines[0]['ms'] / 1000:.1f} s: {line['moments']:.4f}, {line['content']:.2f}")
            rows.append([f"{Path(content_name).stem} as {name}", *cells])
    return table(["", *[f"{steps} steps{way}" for steps in (15, 30, 60, 120) for way in ("", ", both")]], rows)


def photographs(models: dict[str, Path]) -> None:
    """The content, the optimizer's picture, the model's, and both together."""
    rows = []
    for name, model in models.items():
        for content_name in CONTENTS:
            content, style = picture(SHARED / "images/content" / content_name, 480), style_of(name, 480)
            ways = ([], [f"model={model}"], [f"start={model}", "first-iterations=45"])
            rows.append([content, *[repaint(content[None], style, *options).film[0] for options in ways]])
    sheet(OUT / "photographs.jpg", rows, 240)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench models")
    parser.add_argument("models", nargs="*", help="NAME=FILE: further models; NAME is that of a picture in images/style")
    parser.add_argument("--quick", action="store_true", help="fewer frames and rounds")
    options = parser.parse_args()
    others = {path.stem: path for path in sorted((SHARED / "networks").glob("*.model"))}
    further = dict(option.split("=", 1) for option in options.models)
    own = {name: Path(path) for name, path in ({name: name for name in SHIPPED} | further).items()}
    print(f"Frames of {SIZE[0]} x {SIZE[1]}, with the flicker damped; the network alone in each precision.\n")
    print(speed(others | own, clip(CLIP, 20, *SIZE), 1 if options.quick else 3))
    film = clip(CLIP, 20 if options.quick else 60, stability.WIDTH, stability.HEIGHT)
    print(f"\nFrames of {stability.WIDTH} x {stability.HEIGHT}; sharpness relative to the network's own pictures.\n")
    print(stability_of_clip(others | own, film))
    print("\nThe same frames; distances from the style and the content by the compact network.\n")
    print(beside_optimizer(own, film))
    print("\nPhotographs, 384 pixels: the time, and the distances from the style (mean + covariance) and the content.\n")
    print(steps_saved(own, 384))
    photographs(own)


if __name__ == "__main__":
    main()
