"""Reads pictures and films for the benchmarks, repaints them with the engine, and measures the results."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TOOLS = ROOT / "target/release"
FILES = ROOT / "target/bench"
COMPACT = SHARED / "weights/vgg19-compact16.safetensors"


def picture(path: Path, longest: int) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    scale = longest / max(image.size)
    return np.asarray(image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC))


def clip(path: Path, frames: int, width: int, height: int) -> np.ndarray:
    """The first frames of a film as an array (frames, height, width, 3) of bytes."""
    if not shutil.which("ffmpeg"):
        return clip_by_opencv(path, frames, width, height)
    scale = f"scale={width}:{height}:flags=area"
    command = ["ffmpeg", "-loglevel", "error", "-i", path, "-vf", scale, "-frames:v", str(frames)]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def clip_by_opencv(path: Path, frames: int, width: int, height: int) -> np.ndarray:
    """The same without FFmpeg. Its rounding differs slightly."""
    video, film = cv2.VideoCapture(str(path)), []
    while len(film) < frames and (read := video.read())[0]:
        film.append(cv2.cvtColor(cv2.resize(read[1], (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB))
    if not film:
        raise SystemExit(f"{path}: there is no ffmpeg, and OpenCV cannot read the file")
    return np.stack(film)


class Result(NamedTuple):
    film: np.ndarray
    lines: list[dict]  # the measurements, which tools/src/bin/repaint.rs describes

    def mean(self, what: str) -> float:
        return float(np.mean([line[what] for line in self.lines[1:]]))


def repaint(film: np.ndarray, style: np.ndarray, *options: str, flow: np.ndarray | None = None) -> Result:
    """Paints a film. `flow`, if it is known: (frames - 1, 2, height, width, 2), to the previous frame and back."""
    result = FILES / "result.raw"
    if flow is not None:
        options += (f"flow={written('flow', flow.transpose(0, 1, 4, 2, 3).astype(np.float32))}",)
    lines = run("repaint", *size(film), written("film", film), *size(style), written("style", style), result, *options)
    return Result(np.fromfile(result, np.uint8).reshape(film.shape), lines)


def judge(painted: np.ndarray, content: np.ndarray, style: np.ndarray, *options: str,
          uncovered: np.ndarray | None = None) -> list[dict]:
    """The measurements of tools/src/bin/judge.rs for painted frames. `uncovered`: a mask of the area to examine."""
    if uncovered is not None:
        options += (f"uncovered={written('uncovered', uncovered.astype(np.uint8))}",)
    files = [written("painted", painted), written("content", content)]
    return run("judge", *size(painted), *files, *size(style), written("style", style), *options)


def size(frames: np.ndarray) -> tuple[int, int]:
    """The width and height of frames."""
    return frames.shape[-2], frames.shape[-3]


def written(name: str, values: np.ndarray) -> Path:
    FILES.mkdir(parents=True, exist_ok=True)
    path = FILES / f"{name}.raw"
    np.ascontiguousarray(values).tofile(path)
    return path


def run(tool: str, *arguments: object) -> list[dict]:
    """Runs a program of tools/, which prints lines of JSON."""
    command = [str(TOOLS / tool), *map(str, arguments)]
    return [json.loads(line) for line in subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()]


def second_peak(painted: np.ndarray, content: np.ndarray) -> float:
    """The height of the second peak of the paint's autocorrelation above the dips on both sides: 0 if nothing repeats.

    The paint is the difference in brightness between the picture and its content, smoothed by a sixteenth of the
    shorter side. The autocorrelation is computed along rows and along columns, for distances up to half of the shorter
    side.
    """
    paint = cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY).astype(np.float32) - cv2.cvtColor(content, cv2.COLOR_RGB2GRAY)
    shorter = min(paint.shape)
    paint = cv2.GaussianBlur(paint, (0, 0), shorter / 32)  # two sigmas
    paint -= paint.mean()
    distances = range(shorter // 2)
    along = np.array([(paint[:, by:] * paint[:, : paint.shape[1] - by]).mean() for by in distances])
    down = np.array([(paint[by:] * paint[: paint.shape[0] - by]).mean() for by in distances])
    correlation = (along + down) / (2 * (paint**2).mean())
    before = np.minimum.accumulate(correlation)
    after = np.minimum.accumulate(correlation[::-1])[::-1]
    return float((correlation - np.maximum(before, after)).max())


def sheet(path: Path, rows: list[list[np.ndarray]], height: int | None = None) -> None:
    """Writes rows of pictures on white. All have the given height, or that of the first picture in their row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [np.hstack([scaled(cell, height or row[0].shape[0]) for cell in row]) for row in rows]
    width = max(line.shape[1] for line in lines)
    padded = [np.pad(line, ((0, 4), (0, width - line.shape[1]), (0, 0)), constant_values=255) for line in lines]
    Image.fromarray(np.vstack(padded)).save(path, quality=90)


def scaled(cell: np.ndarray, height: int) -> np.ndarray:
    width = round(cell.shape[1] * height / cell.shape[0])
    return np.asarray(Image.fromarray(cell).resize((width, height), Image.Resampling.LANCZOS))


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
