"""Prints a Markdown table of what a viewer of a live camera gets: pictures per second, their delay, and how well they are
painted. Run by scripts/bench.

A film takes the camera's place: 640x480 in YUY2 and 1280x720 in motion JPEG, which is decoded, both at 30 frames per
second. The delay of a picture is the time from its arrival from the camera to its arrival at the sink, as GStreamer's
latency tracer measures it.
"""

import argparse
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

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
CAMERAS = {
    "640x480 YUY2": ((640, 480), "-pix_fmt yuyv422 -f rawvideo",
                     "rawvideoparse format=yuy2 width=640 height=480 framerate=30/1", "format=YUY2,width=640,height=480"),
    "1280x720 MJPEG": ((1280, 720), "-c:v mjpeg -q:v 3 -f avi", "avidemux ! jpegparse",
                       "format=I420,width=1280,height=720"),
}
ELEMENTS = {
    "as typed": f"styletransfer style={STYLE}",
    **{f"preset {name}": f"styletransfer style={STYLE} @preset={name}" for name in ["live", "clear", "bold"]},
    "convfilter filter=emboss": "convfilter filter=emboss",
}
BUSY = ["python3", "-c", "while True: pass"]


def fill(camera: str) -> str:
    """FFmpeg's filter that scales a picture to the camera's size and crops what is beyond it."""
    (width, height), *_ = CAMERAS[camera]
    return f"scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"


def film(camera: str, seconds: int) -> Path:
    """The camera's film: the clip in a loop."""
    _, encoding, *_ = CAMERAS[camera]
    path = OUT / f"{camera.replace(' ', '-')}-{seconds}.film"
    if not path.exists():
        filters = f"fps={RATE},{fill(camera)}"
        command = f"ffmpeg -y -loglevel error -stream_loop -1 -i {CLIP} -t {seconds} -an -vf {filters} {encoding} {path}"
        subprocess.run(command.split(), check=True)
    return path


def pipeline(camera: str, element: str, seconds: int, painted: Path) -> str:
    """One program: a film paced like a camera, and a live source that shows it to the element."""
    _, _, parse, caps = CAMERAS[camera]
    decode = "" if "MJPEG" not in camera else " ! jpegdec"
    stats = " name=painter stats-interval=1" if element.startswith("styletransfer") else ""
    return (
        f"gst-launch-1.0 -m filesrc location={film(camera, seconds)} ! {parse}{decode} ! videoconvert "
        f"! video/x-raw,{caps} ! queue ! intervideosink sync=true "
        f"intervideosrc name=camera num-buffers={seconds * RATE} ! video/x-raw,{caps},framerate={RATE}/1 "
        f"! queue leaky=downstream max-size-buffers=1 ! {element}{stats} ! tee name=t "
        f"t. ! queue ! fakesink name=screen sync=true qos=true "
        f"t. ! queue ! videoconvert ! video/x-raw,format=RGB ! filesink location={painted} async=false"
    )


def run(camera: str, element: str, seconds: int, busy: bool) -> list[str]:
    painted, log = OUT / "painted.rgb", OUT / "latency.log"
    tracing = {"GST_TRACERS": "latency", "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_FILE": str(log), "GST_DEBUG_NO_COLOR": "1"}
    other = subprocess.Popen(BUSY) if busy else None
    before = os.times()
    begin = time.monotonic()
    try:
        output = subprocess.run(pipeline(camera, element, seconds, painted).split(), env=os.environ | tracing, check=True,
                                capture_output=True, text=True).stdout
    finally:
        if other:
            other.kill()
            other.wait()
    took, after = time.monotonic() - begin, os.times()
    cores = (after.children_user + after.children_system - before.children_user - before.children_system) / took
    rate = figures(log, seconds)
    if not element.startswith("styletransfer"):
        return [*rate, "-", "-", *["-"] * len(MOMENTS), f"{cores - busy:.2f}"]
    size, steps = work(output)
    losses = quality(camera, painted, [moment for moment, _ in arrivals(log)], size)
    return [*rate, f"{size[0]}x{size[1]}", f"{steps:.1f}", *losses, f"{cores - busy:.2f}"]


def arrivals(log: Path) -> list[tuple[float, float]]:
    """The seconds at which pictures arrived at the sink, from the first one's on, and their delays in milliseconds."""
    line = re.compile(r"latency, .*src-element=\(string\)camera.*sink-element=\(string\)screen.*time=\(guint64\)(\d+), "
                      r"ts=\(guint64\)(\d+)")
    found = [match for match in map(line.search, log.read_text().splitlines()) if match]
    first = min((int(match[2]) for match in found), default=0)
    return [((int(match[2]) - first) / 1e9, int(match[1]) / 1e6) for match in found]


def figures(log: Path, seconds: int) -> list[str]:
    delays = [delay for _, delay in arrivals(log)]
    if not delays:
        raise SystemExit(f"{log}: no picture arrived")
    return [f"{len(delays) / seconds:.1f}", f"{statistics.median(delays):.0f}", f"{max(delays):.0f}"]


def work(output: str) -> tuple[tuple[int, int], float]:
    """The last size, and the mean number of steps."""
    number = r"\(guint64\)(\d+)"
    found = re.findall(rf"styletransfer-stats.*?width={number}, height={number}, steps={number}", output)
    *size, _ = map(int, found[-1])
    return tuple(size), statistics.mean(int(steps) for _, _, steps in found)


def quality(camera: str, painted: Path, times: list[float], size: tuple[int, int]) -> list[str]:
    """The judged style loss at each moment, as a ratio to that of the element's own 60 steps on the same frame, both at the
    last size."""
    width, height = CAMERAS[camera][0]
    film = np.memmap(painted, np.uint8, "r").reshape(-1, height, width, 3)
    style = painting.picture(STYLE, max(size))
    shrunk = lambda frame: cv2.resize(frame, size, interpolation=cv2.INTER_AREA)[None]

    def ratio(moment: float) -> float:
        index = next(index for index, at in enumerate(times[: len(film)]) if at >= moment)
        content = still(camera, moment)
        losses = [judge(shrunk(one), shrunk(content), style, f"weights={painting.COMPACT}")[0]["moments"]
                  for one in (film[index], apart(content, max(size)))]
        return losses[0] / losses[1]

    cells = []
    for moment in MOMENTS:
        ratios = [ratio(moment + after) for after in AFTER if moment + after < times[min(len(film), len(times)) - 1]]
        cells.append(f"{statistics.median(ratios):.2f}" if ratios else "-")
    return cells


def apart(content: np.ndarray, size: int) -> np.ndarray:
    """A still, painted by the element at this size in 60 steps."""
    height, width, _ = content.shape
    source, result = OUT / "still.rgb", OUT / "apart.rgb"
    content.tofile(source)
    pipeline = (f"gst-launch-1.0 -q filesrc location={source} ! rawvideoparse format=rgb width={width} height={height} "
                f"! styletransfer style={STYLE} size={size} first-iterations=60 ! filesink location={result}")
    subprocess.run(pipeline.split(), check=True)
    return np.fromfile(result, np.uint8).reshape(content.shape)


def still(camera: str, moment: float) -> np.ndarray:
    """The camera's picture at a moment, in seconds: (height, width, 3)."""
    (width, height), *_ = CAMERAS[camera]
    command = f"ffmpeg -loglevel error -stream_loop -1 -i {CLIP} -ss {moment} -frames:v 1 -vf {fill(camera)}"
    raw = subprocess.run(f"{command} -f rawvideo -pix_fmt rgb24 -".split(), check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench live")
    parser.add_argument("--quick", action="store_true", help="10 seconds as typed, without other work")
    quick = parser.parse_args().quick
    OUT.mkdir(parents=True, exist_ok=True)
    seconds = 10 if quick else 60
    elements = dict(list(ELEMENTS.items())[:1]) if quick else ELEMENTS
    rows = []
    for camera in CAMERAS:
        for name, element in elements.items():
            for busy in [False] if quick or name != "as typed" else [False, True]:
                row = [camera, name, "one busy loop" if busy else "", *run(camera, element, seconds, busy)]
                rows.append(row)
    heads = ["camera", "element", "beside it", "pictures/s", "delay, ms", "worst", "painted at", "steps",
             *(f"style after {moment} s" for moment in MOMENTS), "cores"]
    print(table(heads, rows))
    print("\nStyle: the judged loss, mean and covariance, as a ratio to that of the same frame with 60 steps of its own.")


if __name__ == "__main__":
    main()
