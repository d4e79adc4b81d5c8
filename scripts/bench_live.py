"""Prints a Markdown table of what a viewer of a live camera gets: pictures per second, their delay, and how well they
are painted; or, with --long, a row for each of ten minutes. Run by scripts/bench.

A film takes the camera's place: 640x480 in YUY2 and 1280x720 in motion JPEG, which is decoded, both at 30 frames per
second. The delay of a picture is the time from its arrival from the camera to its arrival at the sink, as GStreamer's
latency tracer measures it.
"""

import argparse
import functools
import os
import re
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import painting
from painting import SHARED, judge, table

OUT = painting.ROOT / "target/bench-live"
CLIP = SHARED / "video/cockatoo.mp4"
STYLE = SHARED / "images/style/starry_night.jpg"
RATE = 30
# The seconds after which pictures are judged: the median of some, since one may lie right after a cut.
MOMENTS = [1, 5, 30]
AFTER = [0, 0.2, 0.4, 0.6, 0.8]
MINUTES = 10
# Seconds of a row: as typed, and of all others.
LONG, SHORT = 60, 20


class Camera(NamedTuple):
    size: tuple[int, int]
    caps: str  # of its files, one for each frame
    decode: str
    format: str


CAMERAS = {
    "640x480 YUY2": Camera(
        (640, 480), "video/x-raw,format=YUY2,width=640,height=480", "! rawvideoparse use-sink-caps=true", "YUY2"
    ),
    "1280x720 MJPEG": Camera((1280, 720), "image/jpeg", "! jpegdec", "I420"),
}
ELEMENTS = {
    "as typed": f"styletransfer style={STYLE}",
    **{f"preset {name}": f"styletransfer style={STYLE} @preset={name}" for name in ["live", "clear", "bold"]},
    "convfilter filter=emboss": "convfilter filter=emboss",
    "nothing": "identity",
}
BUSY, ONE_CORE = "one busy loop beside", "one core"
LOOP = ["python3", "-c", "while True: pass"]


@functools.cache
def frames(camera: str) -> np.ndarray:
    """The clip as the camera sees it, (frames, height, width, 3): scaled to its size, and cut where it is larger."""
    width, height = CAMERAS[camera].size
    video = cv2.VideoCapture(str(CLIP))
    own, scaled = video.get(cv2.CAP_PROP_FPS), []
    while (read := video.read())[0]:
        factor = max(width / read[1].shape[1], height / read[1].shape[0])
        frame = cv2.resize(read[1], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
        scaled.append(cv2.cvtColor(frame[top : top + height, left : left + width], cv2.COLOR_BGR2RGB))
    times = np.arange(0, len(scaled) / own, 1 / RATE)
    return np.stack([scaled[min(int(at * own + 0.5), len(scaled) - 1)] for at in times])


def files(camera: str) -> tuple[Path, int]:
    """The pattern of the files that the camera's frames are in, and their number."""
    folder = OUT / camera.replace(" ", "-")
    if not folder.exists():
        folder.mkdir(parents=True)
        for index, frame in enumerate(frames(camera)):
            path = folder / f"{index:04}"
            if camera.endswith("MJPEG"):
                path.write_bytes(cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1])
            else:
                path.write_bytes(yuy2(frame))
    return folder / "%04d", len(list(folder.iterdir()))


def yuy2(frame: np.ndarray) -> bytes:
    """A frame in YUY2, with the color matrix BT.601 and limited range."""
    y, u, v = np.moveaxis(frame @ np.array([[65.5, -37.8, 112], [128.6, -74.2, -93.8], [25, 112, -18.2]]) / 255, 2, 0)
    samples = np.empty((*y.shape, 2))
    samples[..., 0] = y + 16
    samples[:, ::2, 1], samples[:, 1::2, 1] = [(plane[:, ::2] + plane[:, 1::2]) / 2 + 128 for plane in (u, v)]
    return samples.round().astype(np.uint8).tobytes()


def pipeline(camera: str, element: str, seconds: int, painted: Path | None) -> list[str]:
    """One program: a film paced like a camera, and a live source that shows it to the element. The pictures are written
    to `painted`."""
    (width, height), caps, decode, format_ = CAMERAS[camera]
    pattern, count = files(camera)
    length, stop = seconds * RATE, count - 1
    source = f"multifilesrc location={pattern} stop-index={stop} loop=true num-buffers={length} caps={caps}"
    raw = f"video/x-raw,format={format_},width={width},height={height}"
    stats = " name=painter stats-interval=1" if element.startswith("styletransfer") else ""
    write = f"t. ! queue ! videoconvert ! video/x-raw,format=RGB ! filesink location={painted} async=false"
    return (
        f"gst-launch-1.0 -m {source},framerate={RATE}/1 {decode} ! videoconvert ! {raw} ! queue ! intervideosink sync=true "
        f"intervideosrc name=camera num-buffers={length} ! {raw},framerate={RATE}/1 "
        f"! queue leaky=downstream max-size-buffers=1 ! {element}{stats} ! tee name=t "
        f"t. ! queue ! fakesink name=screen sync=true qos=true {write if painted else ''}"
    ).split()


class Run(NamedTuple):
    pictures: list[tuple[float, float]]  # seconds from the first picture's arrival, and delay in milliseconds
    messages: str
    cores: float
    memory: list[tuple[float, float]]  # seconds, and resident megabytes


def watched(camera: str, element: str, seconds: int, painted: Path | None = None, *prefix: str) -> Run:
    log = OUT / "latency.log"
    tracing = {"GST_TRACERS": "latency", "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_FILE": str(log)}
    tracing["GST_DEBUG_NO_COLOR"] = "1"
    command = [*prefix, *pipeline(camera, element, seconds, painted)]
    before, begin, memory = os.times(), time.monotonic(), []
    with subprocess.Popen(command, env=os.environ | tracing, stdout=subprocess.PIPE, text=True) as process:
        def watch() -> None:
            while process.poll() is None:
                status = Path(f"/proc/{process.pid}/status").read_text()
                if resident := re.search(r"VmRSS:\s+(\d+)", status):
                    memory.append((time.monotonic() - begin, int(resident[1]) / 1e3))
                time.sleep(2)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        messages = process.communicate()[0]
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    took, after = time.monotonic() - begin, os.times()
    cores = (after.children_user + after.children_system - before.children_user - before.children_system) / took
    return Run(arrivals(log), messages, cores, memory)


def row(camera: str, element: str, seconds: int, condition: str) -> list[str]:
    # Only what is judged is written: a disk may be too slow for everything.
    painted = OUT / "painted.rgb" if element.startswith("styletransfer") else None
    other = subprocess.Popen(LOOP) if condition == BUSY else None
    prefix = ["taskset", "--cpu-list", "0"] if condition == ONE_CORE else []
    try:
        run = watched(camera, element, seconds, painted, *prefix)
    finally:
        if other:
            other.kill()
            other.wait()
    delays = [delay for _, delay in run.pictures]
    rate = [f"{len(delays) / seconds:.1f}", f"{statistics.median(delays):.0f}", f"{max(delays):.0f}"]
    if not painted:
        return [*rate, "-", "-", *["-"] * len(MOMENTS), f"{run.cores:.2f}"]
    size, steps = work(run.messages)
    losses = quality(camera, painted, [moment for moment, _ in run.pictures], size)
    return [*rate, f"{size[0]}x{size[1]}", f"{steps:.1f}", *losses, f"{run.cores:.2f}"]


def arrivals(log: Path) -> list[tuple[float, float]]:
    """The seconds at which pictures arrived at the sink, from the first one's on, and their delays in milliseconds."""
    line = re.compile(r"latency, .*src-element=\(string\)camera.*sink-element=\(string\)screen.*time=\(guint64\)(\d+), "
                      r"ts=\(guint64\)(\d+)")
    found = [match for match in map(line.search, log.read_text().splitlines()) if match]
    if not found:
        raise SystemExit(f"{log}: no picture arrived")
    first = min(int(match[2]) for match in found)
    return [((int(match[2]) - first) / 1e9, int(match[1]) / 1e6) for match in found]


def work(output: str) -> tuple[tuple[int, int], float]:
    """The last size, and the mean number of steps."""
    number = r"\(guint64\)(\d+)"
    found = re.findall(rf"styletransfer-stats.*?width={number}, height={number}, steps={number}", output)
    *size, _ = map(int, found[-1])
    return tuple(size), statistics.mean(int(steps) for _, _, steps in found)


def quality(camera: str, painted: Path, times: list[float], size: tuple[int, int]) -> list[str]:
    """The judged style loss at each moment, as a ratio to that of the element's own 60 steps on the same frame, both at
    the last size."""
    width, height = CAMERAS[camera].size
    film = np.memmap(painted, np.uint8, "r").reshape(-1, height, width, 3)

    def ratio(moment: float) -> float:
        index = next(index for index, at in enumerate(times[: len(film)]) if at >= moment)
        frame = int(moment * RATE) % len(frames(camera))
        return loss(film[index], frames(camera)[frame], size) / loss_apart(camera, frame, size)

    cells = []
    for moment in MOMENTS:
        ratios = [ratio(moment + after) for after in AFTER if moment + after < times[min(len(film), len(times)) - 1]]
        cells.append(f"{statistics.median(ratios):.2f}" if ratios else "-")
    return cells


def loss(picture: np.ndarray, content: np.ndarray, size: tuple[int, int]) -> float:
    """The judged style loss of a picture at a size."""
    shrunk = [cv2.resize(one, size, interpolation=cv2.INTER_AREA)[None] for one in (picture, content)]
    return judge(*shrunk, painting.picture(STYLE, max(size)), f"weights={painting.COMPACT}")[0]["moments"]


@functools.cache
def loss_apart(camera: str, frame: int, size: tuple[int, int]) -> float:
    """The same of a frame that the element paints by itself, in 60 steps."""
    content = frames(camera)[frame]
    height, width, _ = content.shape
    source, result = OUT / "still.rgb", OUT / "apart.rgb"
    content.tofile(source)
    command = (f"gst-launch-1.0 -q filesrc location={source} ! rawvideoparse format=rgb width={width} height={height} "
               f"! styletransfer style={STYLE} size={max(size)} first-iterations=60 ! filesink location={result}")
    subprocess.run(command.split(), check=True)
    return loss(np.fromfile(result, np.uint8).reshape(content.shape), content, size)


def minutes(camera: str) -> None:
    """Prints a table of the minutes of a long run."""
    run = watched(camera, ELEMENTS["as typed"], 60 * MINUTES)
    rows = []
    for minute in range(MINUTES):
        of_minute = lambda values: [value for at, value in values if minute <= at / 60 < minute + 1]
        delays, memory = of_minute(run.pictures), of_minute(run.memory)
        figures = [statistics.median(delays), max(delays), statistics.median(memory)]
        rows.append([str(minute + 1), f"{len(delays) / 60:.1f}", *(f"{figure:.0f}" for figure in figures)])
    print(f"{camera}, as typed:\n")
    print(table(["minute", "pictures/s", "delay, ms", "worst", "memory, MB"], rows))


def matrix_rate() -> float:
    """The speed of NumPy's matrix product, in 10^9 operations per second."""
    side, times = 1024, []
    matrix = np.random.default_rng(1).random((side, side), np.float32)
    for _ in range(20):
        begin = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - begin)
    return 2 * side**3 / statistics.median(times) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench live")
    parser.add_argument("--quick", action="store_true", help="10 seconds as typed, without other work")
    parser.add_argument("--long", action="store_true", help=f"{MINUTES} minutes as typed, minute by minute")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if options.long:
        return minutes(next(iter(CAMERAS)))
    elements = dict(list(ELEMENTS.items())[:1]) if options.quick else ELEMENTS
    heads = ["camera", "element", "with", "pictures/s", "delay, ms", "worst", "painted at", "steps",
             *(f"style after {moment} s" for moment in MOMENTS), "cores"]
    print(table(heads, []), flush=True)
    for camera in CAMERAS:
        for name, element in elements.items():
            seconds = 10 if options.quick else LONG if name == "as typed" else SHORT
            for condition in [""] if options.quick or name != "as typed" else ["", BUSY, ONE_CORE]:
                cells = [camera, name, condition, *row(camera, element, seconds, condition)]
                print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nThis machine multiplies matrices of 32-bit floats at {matrix_rate():.0f} GFLOP/s (NumPy).")
    print("\nStyle: the judged loss, mean and covariance, as a ratio to 60 steps on the same frame alone.")


if __name__ == "__main__":
    main()
