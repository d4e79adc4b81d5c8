"""Prints Markdown tables of how stable, and how well painted, a film is at few steps a frame. Run by scripts/bench.

A clip's E_warp is judged by OpenCV's optical flow (DIS) and by the engine's own; that of films made of photographs, by
their exact motion. All by the same check of what was seen. Contact sheets go to target/bench-stability.
"""

import argparse
import json
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
OUT = ROOT / "target/bench-stability"
REPAINT = ROOT / "target/release/examples/repaint"
WIDTH, HEIGHT = 480, 270
APART = 60  # steps
EVERY = 10  # frames
SHOWN = [1, 20, 40, 60, 90, 120]
EXACT_FRAMES, EXACT_STEPS, NOISE = 40, 4, 0.01


# Films: arrays (frames, height, width, 3) of bytes.


def clip(path: Path, frames: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    if not shutil.which("ffmpeg"):
        return clip_by_opencv(path, frames, width, height)
    scale = f"scale={width}:{height}:flags=area"
    command = ["ffmpeg", "-loglevel", "error", "-i", path, "-vf", scale, "-frames:v", str(frames)]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def clip_by_opencv(path: Path, frames: int, width: int, height: int) -> np.ndarray:
    """Rounded in other places than FFmpeg's."""
    video, film = cv2.VideoCapture(str(path)), []
    while len(film) < frames and (read := video.read())[0]:
        film.append(cv2.cvtColor(cv2.resize(read[1], (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB))
    if not film:
        raise SystemExit(f"{path}: neither ffmpeg nor OpenCV is there to read it")
    return np.stack(film)


def picture(path: Path, longest: int) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    scale = longest / max(image.size)
    return np.asarray(image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC))


class Flow(NamedTuple):
    """From each frame but the first to the one before, (frames - 1, height, width, 2); back; what was seen before."""

    there: np.ndarray
    back: np.ndarray
    visible: np.ndarray


GRID = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).astype(np.float32)


def sampled(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    return cv2.remap(values, GRID + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def inside(flow: np.ndarray) -> np.ndarray:
    return ((GRID + flow >= 0) & (GRID + flow <= [WIDTH - 1, HEIGHT - 1])).all(-1)


def seen(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """By the check of Ruder et al. (2016), section 5.1: forth and back, and no edge of the motion."""
    returned = sampled(back, there)
    length, returning = (there**2).sum(-1), (returned**2).sum(-1)
    consistent = ((there + returned) ** 2).sum(-1) < 0.01 * (length + returning) + 0.5
    steepness = sum((np.gradient(there[..., part])[axis]) ** 2 for part in range(2) for axis in range(2))
    return consistent & (steepness <= 0.01 * length + 0.002) & inside(there)


def estimated(film: np.ndarray) -> Flow:
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in film]
    there = np.stack([dis.calc(new, old, None) for old, new in zip(grey, grey[1:])])
    back = np.stack([dis.calc(old, new, None) for old, new in zip(grey, grey[1:])])
    return checked(there, back)


def checked(there: np.ndarray, back: np.ndarray) -> Flow:
    return Flow(there, back, np.stack([seen(*pair) for pair in zip(there, back)]))


class Motion(NamedTuple):
    """A camera's, each frame: pixels right and down, times as large, degrees; and an occluder's pixels to the right."""

    name: str
    pan: tuple[float, float] = (0, 0)
    zoom: float = 1
    turn: float = 0
    occluder: float = 0


MOTIONS = [
    Motion("pan", pan=(2.3, 0.7)),
    Motion("fast pan", pan=(11.5, -3.2)),
    Motion("zoom", zoom=1.01),
    Motion("turn", turn=1),
    Motion("occluder", pan=(0.6, 0.2), occluder=6.4),
]


def exact(motion: Motion, photograph: np.ndarray, occluder: np.ndarray) -> tuple[np.ndarray, Flow]:
    """A photograph filmed with that motion and with noise; a disc of another one passes."""
    random = np.random.default_rng(1)
    middle = np.array([[1, 0, -WIDTH / 2], [0, 1, -HEIGHT / 2], [0, 0, 1]])
    whole = np.array([[1, 0, photograph.shape[1] / 2], [0, 1, photograph.shape[0] / 2], [0, 0, 1]])

    def camera(frame: int) -> np.ndarray:
        """From places in a frame to places in the photograph."""
        step = frame - EXACT_FRAMES / 2
        angle, scale = np.radians(motion.turn * step), motion.zoom**-step
        turn = [[np.cos(angle) * scale, -np.sin(angle) * scale], [np.sin(angle) * scale, np.cos(angle) * scale]]
        # Back and forth, lest it leave the photograph.
        pan = np.array(motion.pan) * (EXACT_FRAMES / 4 - abs(frame % EXACT_FRAMES - EXACT_FRAMES / 2))
        return whole @ np.vstack([np.column_stack([turn, pan]), [0, 0, 1]]) @ middle

    def disc(frame: int) -> np.ndarray:
        place = GRID - [motion.occluder * frame, HEIGHT / 2]
        return ((place**2).sum(-1) < (HEIGHT / 5) ** 2) & (motion.occluder > 0)

    def to_other(frame: int, other: int) -> np.ndarray:
        matrix = (np.linalg.inv(camera(other)) @ camera(frame))[:2].astype(np.float32)
        of_photograph = cv2.transform(GRID, matrix) - GRID
        return np.where(disc(frame)[..., None], np.float32([motion.occluder * (other - frame), 0]), of_photograph)

    film = []
    for frame in range(EXACT_FRAMES):
        how = {"flags": cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REFLECT}
        background = cv2.warpAffine(photograph, camera(frame)[:2], (WIDTH, HEIGHT), **how)
        shift = np.float32([[1, 0, motion.occluder * frame - HEIGHT / 2], [0, 1, 0]])
        front = cv2.warpAffine(occluder, shift, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
        shown = np.where(disc(frame)[..., None], front, background) + random.normal(0, 255 * NOISE, (HEIGHT, WIDTH, 3))
        film.append(shown.round().clip(0, 255).astype(np.uint8))

    pairs = range(1, EXACT_FRAMES)
    there = np.stack([to_other(frame, frame - 1) for frame in pairs])
    back = np.stack([to_other(frame - 1, frame) for frame in pairs])
    was_disc = np.stack([sampled(disc(frame - 1).astype(np.float32), flow) for frame, flow in zip(pairs, there)])
    is_disc = np.stack([disc(frame) for frame in pairs])
    # The edge itself, half disc and half background, is of neither.
    visible = np.stack([inside(flow) for flow in there]) & np.where(is_disc, was_disc > 0.99, was_disc < 0.01)
    return np.stack(film), Flow(there, back, visible)


# Repainting and measuring.


class Result(NamedTuple):
    film: np.ndarray
    lines: list[dict]  # see engine/examples/repaint.rs

    def mean(self, what: str) -> float:
        return statistics.mean(line[what] for line in self.lines[1:])

    def measured(self) -> list[dict]:
        return [line for line in self.lines if "style" in line]


def repaint(film: np.ndarray, style: np.ndarray, *options: str, flow: Flow | None = None) -> Result:
    files = {name: OUT / f"{name}.raw" for name in ("film", "style", "result", "flow")}
    film.tofile(files["film"])
    style.tofile(files["style"])
    if flow:
        np.stack([flow.there, flow.back], 1).transpose(0, 1, 4, 2, 3).astype(np.float32).tofile(files["flow"])
        options += (f"flow={files['flow']}",)
    (_, height, width, _), (style_height, style_width, _) = film.shape, style.shape
    sizes_and_files = [width, height, files["film"], style_width, style_height, files["style"]]
    command = [REPAINT, *sizes_and_files, files["result"], *options]
    output = subprocess.run([str(part) for part in command], check=True, text=True, capture_output=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    return Result(np.fromfile(files["result"], np.uint8).reshape(film.shape), lines)


def found(film: np.ndarray, style: np.ndarray) -> Flow:
    """What the engine finds."""
    file = OUT / "found.raw"
    repaint(film, style, f"found={file}", "first-iterations=0", "iterations=0")
    flows = np.fromfile(file, np.float32).reshape(-1, 2, 2, HEIGHT, WIDTH).transpose(1, 0, 3, 4, 2)
    return checked(*np.ascontiguousarray(flows))


def e_warp(film: np.ndarray, flow: Flow) -> float:
    """The mean square difference (samples of 0..1) to the frame before, moved, over what was seen there."""
    errors = []
    for old, new, there, visible in zip(film, film[1:], flow.there, flow.visible):
        apart = sampled(old.astype(np.float32) / 255, there) - new.astype(np.float32) / 255
        errors.append((apart**2)[visible].mean())
    return float(np.mean(errors))


def sharpness(frame: np.ndarray) -> float:
    """The mean difference between neighbours."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def sheet(name: str, film: np.ndarray, results: dict[str, np.ndarray]) -> None:
    shown = [number - 1 for number in SHOWN if number <= len(film)]
    rows = [np.hstack(frames[shown]) for frames in (film, *results.values())]
    Image.fromarray(np.vstack(rows)).save(OUT / f"{name}.jpg", quality=90)


# Tables.


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.mean(values):.{digits}f} (to {max(values):.{digits}f})"


def of_clip(film: np.ndarray, style: np.ndarray, weights: str, runs: dict[str, list[str]]) -> str:
    judges = [estimated(film), found(film, style)]
    tenth = film[EVERY - 1 :: EVERY]
    apart = repaint(tenth, style, weights, "measure=1", "warm-start=none", f"first-iterations={APART}")
    rows = [["the clip itself", *[f"{e_warp(film, flow):.5f}" for flow in judges], *["-"] * 7]]
    results = {}
    for name, options in runs.items():
        result = repaint(film, style, weights, f"measure={EVERY}", *options)
        results[name] = result.film
        pairs = list(zip(result.measured(), apart.measured()))
        ratios = {what: [ours[what] / theirs[what] for ours, theirs in pairs] for what in ("style", "content")}
        means = [statistics.mean(ours["tiles"]) / statistics.mean(theirs["tiles"]) for ours, theirs in pairs]
        largest = [max(ours["tiles"]) / max(theirs["tiles"]) for ours, theirs in pairs]
        frames = zip(result.film[EVERY - 1 :: EVERY], apart.film)
        sharp = [sharpness(ours) / sharpness(theirs) for ours, theirs in frames]
        rows.append([
            name,
            *[f"{e_warp(result.film, flow):.5f}" for flow in judges],
            *[spread(ratios[what]) for what in ("style", "content")],
            *[spread(values) for values in (means, largest)],
            f"{statistics.mean(sharp):.2f} (from {min(sharp):.2f})",
            f"{result.mean('steps'):.1f}",
            f"{result.mean('ms'):.0f}",
        ])
    sheet("clip", film, results)
    of_losses = ["style", "content", "tiles' mean", "tiles' largest"]
    head = ["", "E_warp, DIS", "E_warp, own flow", *of_losses, "sharpness", "steps", "ms a frame"]
    return table(head, rows)


def of_motions(motions: list[Motion], style: np.ndarray, weights: str) -> str:
    photograph = picture(SHARED / "images/content/tubingen.jpg", 900)
    occluder = picture(SHARED / "images/content/chelsea.png", 420)
    rows = []
    for motion in motions:
        film, flow = exact(motion, photograph, occluder)
        options = (weights, f"iterations={EXACT_STEPS}")
        own, known = repaint(film, style, *options), repaint(film, style, *options, flow=flow)
        unmoved = repaint(film, style, *options, "warm-start=previous")
        errors = [e_warp(frames, flow) for frames in (film, known.film, own.film, unmoved.film)]
        rows.append([motion.name, *[f"{error:.5f}" for error in errors], f"{errors[2] / errors[1]:.2f}"])
        sheet(motion.name.replace(" ", "-"), film, {"own": own.film})
    return table(["motion", "the film itself", "exact flow", "own flow", "previous", "own / exact"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench stability")
    parser.add_argument("--quick", action="store_true", help="fewer frames and rows")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    weights = f"weights={SHARED / 'weights/vgg19-compact16.safetensors'}"
    style = picture(SHARED / "images/style/starry_night.jpg", WIDTH)

    runs = {f"K = {steps}": [f"iterations={steps}"] for steps in ([4] if options.quick else [1, 2, 4, 8])}
    if not options.quick:
        runs["previous, K = 4"] = ["iterations=4", "warm-start=previous"]
        runs["none, 4 steps"] = ["first-iterations=4", "warm-start=none"]
    film = clip(SHARED / "video/cockatoo.mp4", 40 if options.quick else 120)
    device = repaint(film[:1], style, weights, "first-iterations=1").lines[0]["device"]
    print(f"A clip of {len(film)} frames of {WIDTH} x {HEIGHT}, on {device}. Losses and sharpness are those of the same frame")
    print(f"painted apart, in {APART} steps from its own content, times this: mean and worst of every tenth frame.\n")
    print(of_clip(film, style, weights, runs))
    motions = MOTIONS[:1] if options.quick else MOTIONS
    print(f"\nE_warp of films of a photograph with known motion, {EXACT_FRAMES} frames, {EXACT_STEPS} steps a frame.\n")
    print(of_motions(motions, style, weights))


if __name__ == "__main__":
    main()
