"""Prints Markdown tables of the stability and quality of films that are painted with few steps per frame. Run by
scripts/bench.

E_warp of a camera's clip is measured with OpenCV's optical flow (DIS) and with the engine's own; that of films made of
photographs, with their exact motion. Visibility is determined in the same way for all. Quality is measured by a network
that did not paint. Contact sheets are written to target/bench-stability.
"""

import argparse
import statistics
from typing import NamedTuple

import cv2
import numpy as np
from motion import Flow, checked, e_warp, estimated, grid, inside, sampled
from painting import COMPACT, FILES, ROOT, SHARED, clip, judge, picture, repaint, sheet, table

OUT = ROOT / "target/bench-stability"
WIDTH, HEIGHT = 480, 270
SINGLE_STEPS = 60  # steps of the single frames for comparison
EVERY = 10  # every tenth frame is measured
SHOWN = [1, 20, 40, 60, 90, 120]  # frames on contact sheets
EXACT_FRAMES, EXACT_STEPS, NOISE = 40, 4, 0.01  # films with known motion
PAINTED_WITHIN = 10  # frames after which an uncovered area should be painted


# Films: arrays (frames, height, width, 3) of bytes.


GRID = grid(HEIGHT, WIDTH)


class Motion(NamedTuple):
    """The motion per frame: a camera's pixels (right, down), zoom factor and degrees; an occluder's pixels (right)."""

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
    """A film of a photograph with a known motion and noise, crossed by a disc from another photograph; and its flow."""
    random = np.random.default_rng(1)
    from_center = np.array([[1, 0, -WIDTH / 2], [0, 1, -HEIGHT / 2], [0, 0, 1]])
    to_center = np.array([[1, 0, photograph.shape[1] / 2], [0, 1, photograph.shape[0] / 2], [0, 0, 1]])

    def camera(frame: int) -> np.ndarray:
        """The matrix from positions in a frame to positions in the photograph."""
        step = frame - EXACT_FRAMES / 2
        angle, scale = np.radians(motion.turn * step), motion.zoom**-step
        turn = [[np.cos(angle) * scale, -np.sin(angle) * scale], [np.sin(angle) * scale, np.cos(angle) * scale]]
        # The camera pans back and forth, so that it stays within the photograph.
        pan = np.array(motion.pan) * (EXACT_FRAMES / 4 - abs(frame % EXACT_FRAMES - EXACT_FRAMES / 2))
        return to_center @ np.vstack([np.column_stack([turn, pan]), [0, 0, 1]]) @ from_center

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
    # Pixels on the disc's edge, which mix disc and background, count as not visible.
    visible = np.stack([inside(flow) for flow in there]) & np.where(is_disc, was_disc > 0.99, was_disc < 0.01)
    return np.stack(film), Flow(there, back, visible)


# Measuring.


def engine_flow(film: np.ndarray, style: np.ndarray) -> Flow:
    """The flow that the engine finds."""
    file = FILES / "found.raw"
    repaint(film, style, f"found={file}", "first-iterations=0", "iterations=0")
    flows = np.fromfile(file, np.float32).reshape(-1, 2, 2, HEIGHT, WIDTH).transpose(1, 0, 3, 4, 2)
    return checked(*np.ascontiguousarray(flows))


def sharpness(frame: np.ndarray) -> float:
    """The mean difference between neighboring pixels."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(np.diff(gray, axis=0)).mean() + np.abs(np.diff(gray, axis=1)).mean())


def ages(flow: Flow) -> np.ndarray:
    """The number of frames for which each pixel of each frame has been visible: (frames, height, width)."""
    age = np.full((HEIGHT, WIDTH), len(flow.there) + PAINTED_WITHIN + 1.0, np.float32)
    all_ages = [age]
    for there, visible in zip(flow.there, flow.visible):
        older = cv2.remap(age, GRID + there, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE) + 1
        age = np.where(visible, older, 0).astype(np.float32)
        all_ages.append(age)
    return np.stack(all_ages)


def painted_in_time(result: np.ndarray, film: np.ndarray, style: np.ndarray, flow: Flow) -> float:
    """Of the pixels uncovered PAINTED_WITHIN frames before, the share that is as near to the style as 95% of others."""
    lines = judge(result, film, style, f"weights={COMPACT}", uncovered=ages(flow) == PAINTED_WITHIN)
    counted = [(line["uncovered"], line["as_near"]) for line in lines if line["uncovered"]]
    return sum(count * share for count, share in counted) / max(1, sum(count for count, _ in counted))


def contact_sheet(name: str, film: np.ndarray, results: dict[str, np.ndarray]) -> None:
    shown = [number - 1 for number in SHOWN if number <= len(film)]
    sheet(OUT / f"{name}.jpg", [[frames[index] for index in shown] for frames in (film, *results.values())])


# Tables.


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.mean(values):.{digits}f} (to {max(values):.{digits}f})"


def of_clip(film: np.ndarray, style: np.ndarray, runs: dict[str, list[str]]) -> str:
    own = engine_flow(film, style)
    flows = [estimated(film), own]
    tenth = film[EVERY - 1 :: EVERY]
    single = np.concatenate([repaint(frame[None], style, f"first-iterations={SINGLE_STEPS}").film for frame in tenth])
    judged_single = judge(single, tenth, style, f"weights={COMPACT}")
    unpainted = painted_in_time(film, film, style, own)
    rows = [["the clip itself", *[f"{e_warp(film, flow):.5f}" for flow in flows], *["-"] * 4, f"{unpainted:.2f}", "-", "-"]]
    results = {}
    for name, options in runs.items():
        result = repaint(film, style, *options)
        results[name] = result.film
        frames = result.film[EVERY - 1 :: EVERY]
        pairs = list(zip(judge(frames, tenth, style, f"weights={COMPACT}"), judged_single))
        measures = ("moments", "sliced", "content")
        ratios = {what: [ours[what] / theirs[what] for ours, theirs in pairs] for what in measures}
        sharp = [sharpness(ours) / sharpness(theirs) for ours, theirs in zip(frames, single)]
        rows.append([
            name,
            *[f"{e_warp(result.film, flow):.5f}" for flow in flows],
            *[spread(ratios[what]) for what in measures],
            f"{statistics.mean(sharp):.2f} (from {min(sharp):.2f})",
            f"{painted_in_time(result.film, film, style, own):.2f}",
            f"{result.mean('steps'):.1f}",
            f"{result.mean('ms'):.0f}",
        ])
    contact_sheet("clip", film, results)
    judged = ["mean + covariance", "sliced", "content", "sharpness", f"painted in {PAINTED_WITHIN} frames"]
    return table(["", "E_warp, DIS", "E_warp, own flow", *judged, "steps", "ms a frame"], rows)


def of_motions(motions: list[Motion], style: np.ndarray) -> str:
    photograph = picture(SHARED / "images/content/tubingen.jpg", 900)
    occluder = picture(SHARED / "images/content/chelsea.png", 420)
    rows = []
    for motion in motions:
        film, flow = exact(motion, photograph, occluder)
        steps = f"iterations={EXACT_STEPS}"
        own, known = repaint(film, style, steps), repaint(film, style, steps, flow=np.stack([flow.there, flow.back], 1))
        unmoved = repaint(film, style, steps, "warm-start=previous")
        errors = [e_warp(frames, flow) for frames in (film, known.film, own.film, unmoved.film)]
        rows.append([motion.name, *[f"{error:.5f}" for error in errors], f"{errors[2] / errors[1]:.2f}"])
        contact_sheet(motion.name.replace(" ", "-"), film, {"own": own.film})
    return table(["motion", "the film itself", "exact flow", "own flow", "previous", "own / exact"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench stability")
    parser.add_argument("--quick", action="store_true", help="fewer frames and fewer rows")
    options = parser.parse_args()
    style = picture(SHARED / "images/style/starry_night.jpg", WIDTH)

    runs = {f"K = {steps}": [f"iterations={steps}"] for steps in ([4] if options.quick else [1, 2, 4, 8])}
    if not options.quick:
        runs["previous, K = 4"] = ["iterations=4", "warm-start=previous"]
        runs["none, 4 steps"] = ["first-iterations=4", "warm-start=none"]
    film = clip(SHARED / "video/cockatoo.mp4", 40 if options.quick else 120, WIDTH, HEIGHT)
    device = repaint(film[:1], style, "first-iterations=1").lines[0]["device"]
    print(f"A clip of {len(film)} frames of {WIDTH} x {HEIGHT}, on {device}, painted with the built-in network. Distances")
    print("from the style and the content are measured by the compact network. They and the sharpness are relative to")
    print(f"those of the same frame painted by itself in {SINGLE_STEPS} steps: mean and worst of every tenth frame.\n")
    print(of_clip(film, style, runs))
    motions = MOTIONS[:1] if options.quick else MOTIONS
    print(f"\nE_warp of films with known motion, {EXACT_FRAMES} frames, {EXACT_STEPS} steps per frame.\n")
    print(of_motions(motions, style))


if __name__ == "__main__":
    main()
