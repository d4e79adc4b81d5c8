"""Prints a Markdown table of the steadiness of a style's fine detail that rides on the flow of a painted film. Run by
scripts/bench. docs/brush-detail.md explains the method and its measures.

Films are painted with a third of their size; tools/src/bin/brush.rs draws the detail of the full size.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from motion import Flow, checked, e_warp, grid, inside, sampled
from painting import COMPACT, FILES, ROOT, SHARED, clip, judge, picture, repaint, run, sheet, table, written
from PIL import Image

OUT = ROOT / "target/bench-brush"
WIDTH, HEIGHT, SCALE = 960, 540, 3
SMALL = (WIDTH // SCALE, HEIGHT // SCALE)
FRAMES, STEPS, NOISE = 16, "iterations=4", 0.01
CLIPS = {"clip, fast": 60, "clip, calm": 8}  # the first frame
MOTIONS = {"pan": ((6.9, 2.1), 1.0), "zoom": ((0, 0), 1.01)}  # pixels, and the factor, per frame
RIDES = ["keep=.4", "fade=24", "bends=1", "bent=.8"]
RUNS = {
    "fixed cells, matched in each frame": ["rides=0"],
    "cells that ride": [*RIDES, "reading=bilinear"],
    "cells that ride, bicubic": [*RIDES, "reading=bicubic"],
}


# Features of the built-in network.


class Network:
    MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])

    def __init__(self, file: Path):
        data = file.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        self.tensors = {}
        for name, entry in json.loads(data[8:start]).items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                values = np.frombuffer(data[start + begin : start + end], np.float16)
                self.tensors[name] = values.reshape(entry["shape"]).astype(np.float32)

    def layer(self, values: np.ndarray, index: int) -> np.ndarray:
        """A convolution and its ReLU: (height, width, channels)."""
        weight, bias = self.tensors[f"features.{index}.weight"], self.tensors[f"features.{index}.bias"]
        height, width, _ = values.shape
        padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
        parts = [padded[y : y + height, x : x + width] @ weight[:, :, y, x].T for y in range(3) for x in range(3)]
        return np.maximum(sum(parts) + bias, 0)

    def features(self, frame: np.ndarray) -> list[np.ndarray]:
        """relu2_1 and relu3_1, both at half of the frame's size."""
        values = (frame.astype(np.float32) / 255 - self.MEAN) / self.DEVIATION
        second = self.layer(pooled(self.layer(self.layer(values, 0), 2)), 5)
        third = self.layer(pooled(self.layer(second, 7)), 10)
        # OpenCV resizes a limited number of channels at a time.
        parts = np.split(third, third.shape[-1] // 32, axis=-1)
        return [second, np.concatenate([cv2.resize(part, second.shape[1::-1]) for part in parts], -1)]


def pooled(values: np.ndarray) -> np.ndarray:
    height, width = (side // 2 for side in values.shape[:2])
    return values[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1).max((1, 3))


def unit(features: list[np.ndarray], means: list[np.ndarray]) -> np.ndarray:
    """Both layers' features without the style's mean, (positions, channels), of length 1."""
    centered = [(values - mean).reshape(-1, values.shape[-1]) for values, mean in zip(features, means)]
    parts = [values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-6) for values in centered]
    return np.concatenate(parts, 1) * np.float32(np.sqrt(0.5))


# Films.


def reduced(film: np.ndarray) -> np.ndarray:
    """At the size at which it is painted."""
    return np.stack([cv2.resize(frame, SMALL, interpolation=cv2.INTER_AREA) for frame in film])


def of_motion(pan: tuple[float, float], zoom: float, frames: int) -> tuple[np.ndarray, Flow, np.ndarray]:
    """A film of a photograph with a known motion and noise, its flow, and the film as it is painted."""
    photograph = picture(SHARED / "images/content/tubingen.jpg", 1240)
    random = np.random.default_rng(1)
    from_center = np.array([[1, 0, -(WIDTH - 1) / 2], [0, 1, -(HEIGHT - 1) / 2], [0, 0, 1]])
    to_center = np.array([[1, 0, photograph.shape[1] / 2], [0, 1, photograph.shape[0] / 2], [0, 0, 1]])

    def camera(frame: int) -> np.ndarray:
        step = frame - (frames - 1) / 2
        return to_center @ [[zoom**-step, 0, pan[0] * step], [0, zoom**-step, pan[1] * step], [0, 0, 1]] @ from_center

    def to_other(frame: int, other: int) -> np.ndarray:
        positions, matrix = grid(HEIGHT, WIDTH), (np.linalg.inv(camera(other)) @ camera(frame))[:2]
        return cv2.transform(positions, matrix).astype(np.float32) - positions

    film = []
    for frame in range(frames):
        how = {"flags": cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REFLECT}
        shown = cv2.warpAffine(photograph, camera(frame)[:2], (WIDTH, HEIGHT), **how)
        film.append((shown + random.normal(0, 255 * NOISE, shown.shape)).round().clip(0, 255).astype(np.uint8))
    there = np.stack([to_other(frame, frame - 1) for frame in range(1, frames)])
    back = np.stack([to_other(frame - 1, frame) for frame in range(1, frames)])
    small = np.stack([reduced(there), reduced(back)], 1) / SCALE
    painted = repaint(reduced(film), small_style(), STEPS, flow=small).film
    return np.stack(film), Flow(there, back, np.stack([inside(one) for one in there])), painted


def of_clip(first: int, frames: int) -> tuple[np.ndarray, Flow, np.ndarray]:
    """Frames of the clip, the flow that the engine finds at the painted size, and the film as it is painted."""
    film = clip(SHARED / "video/cockatoo.mp4", first + frames, WIDTH, HEIGHT)[first:]
    file = FILES / "found.raw"
    repaint(reduced(film), small_style(), f"found={file}", "first-iterations=0", "iterations=0")
    flows = np.fromfile(file, np.float32).reshape(-1, 2, 2, *SMALL[::-1]).transpose(1, 0, 3, 4, 2)
    small = checked(*np.ascontiguousarray(flows))
    there, back = (
        np.stack([cv2.resize(one, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) for one in way]) * SCALE
        for way in (small.there, small.back)
    )
    visible = small.visible.repeat(SCALE, 1).repeat(SCALE, 2)
    return film, Flow(there, back, visible), repaint(reduced(film), small_style(), STEPS).film


def small_style() -> np.ndarray:
    return picture(SHARED / "images/style/starry_night.jpg", SMALL[0])


def full_style() -> np.ndarray:
    return picture(SHARED / "images/style/starry_night.jpg", WIDTH)


# The brush.


def enlarged(small: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bicubic, (height, width, channels)."""
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(small.astype(np.float32), -1, 0)]
    return np.stack([np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC)) for plane in planes], -1)


def lost(full: np.ndarray, small: np.ndarray) -> np.ndarray:
    """What a picture loses at the small size, (height, width, 3) in -1..1."""
    return full / np.float32(255) - enlarged(small / np.float32(255), *full.shape[1::-1])


def inverse(there: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The flow back that leads to where `there` comes from, and whether there is such a place."""
    for _ in range(6):
        back = (back - sampled(there, back)) / 2
    return back, ((back + sampled(there, back)) ** 2).sum(-1) < 0.25


def prepare(flow: Flow, painted: np.ndarray) -> None:
    """Writes the files that tools/src/bin/brush.rs reads."""
    network = Network(ROOT / "engine/weights/built-in.safetensors")
    of_style = network.features(small_style())
    means = [values.mean((0, 1)) for values in of_style]
    style = unit(of_style, means)
    features = np.stack([unit(network.features(frame), means) for frame in painted])
    nearest, cosines = [], []
    for part in features.reshape(-1, SMALL[0] // 2, features.shape[-1]):
        product = part @ style.T
        nearest.append(product.argmax(1))
        cosines.append(product.max(1))
    ways = [inverse(there, back) for there, back in zip(flow.there, flow.back)]
    for name, values in {
        "detail": lost(full_style(), small_style()),
        "features": features,
        "style-features": style,
        "nearest": np.stack(nearest),
        "cosines": np.stack(cosines),
        "back": np.stack([back for back, _ in ways]),
        "seen": np.stack([seen for _, seen in ways]),
    }.items():
        written(f"brush-{name}", np.asarray(values, np.float32))


# Measuring.


def origins(flow: Flow) -> tuple[np.ndarray, np.ndarray]:
    """The place in the first frame of each pixel of each frame, and whether it was visible ever since."""
    height, width = flow.there.shape[1:3]
    places, ever = [grid(height, width)], [np.ones((height, width), bool)]
    for there, visible in zip(flow.there, flow.visible):
        places.append(sampled(places[-1], there))
        ever.append(visible & (sampled(ever[-1].astype(np.float32), there) > 0.999))
    return np.stack(places), np.stack(ever)


def measured(name: str, film: np.ndarray, flow: Flow, painted: np.ndarray) -> list[list[str]]:
    prepare(flow, painted)
    places, ever = origins(flow)
    compared = flow._replace(visible=ever[1:])
    style, middle = full_style(), len(film) // 2
    base = enlarged(painted[middle], WIDTH, HEIGHT) / 255
    photograph = lost(film[middle], reduced(film[middle : middle + 1])[0]) @ np.float32([0.299, 0.587, 0.114])
    shown = {"bicubic": base, "the photograph's detail": base + photograph[..., None]}
    rows = []
    for label, options in RUNS.items():
        lines = run("brush", WIDTH, HEIGHT, *style.shape[1::-1], FILES / "brush", *options)
        drawn = np.fromfile(FILES / "brush-result.raw", np.float32).reshape(*film.shape)
        moved = np.stack([sampled(drawn[0], place - grid(HEIGHT, WIDTH)) for place in places])
        ours, exact = e_warp(drawn, compared), e_warp(moved, compared)
        square = (drawn[1:] ** 2)[ever[1:]].mean()
        changed = [line["born"] + line["matched"] for line in lines[1:]]
        rows.append([f"{name}: {label}", f"{ours:.5f}", f"{exact:.5f}", f"{ours / exact:.2f}", f"{ours / square:.2f}",
                     f"{np.mean(changed) / lines[-1]['cells']:.3f}"])
        shown[label] = base + drawn[middle]
    pictures = {label: (values * 255).round().clip(0, 255).astype(np.uint8) for label, values in shown.items()}
    for label, values in pictures.items():
        line = judge(values[None], film[middle][None], style, f"weights={COMPACT}")[0]
        print(f"{name}, {label}: gram {line['gram']:.4f}, mean + covariance {line['moments']:.4f}")
    sheet(OUT / f"{name.replace(', ', '-')}.png", [[values[120:420, 340:740] for values in pictures.values()]])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench brush")
    parser.add_argument("--quick", action="store_true", help="four frames of one film")
    options = parser.parse_args()
    frames = 4 if options.quick else FRAMES
    films = {"pan": MOTIONS["pan"]} if options.quick else MOTIONS
    rows = []
    for name, (pan, zoom) in films.items():
        rows += measured(name, *of_motion(pan, zoom, frames))
    for name, first in {} if options.quick else CLIPS.items():
        rows += measured(name, *of_clip(first, frames))
    print()
    print(table(["", "E_warp", "moved exactly", "ratio", "E_warp / square", "cells changed"], rows))


if __name__ == "__main__":
    main()
