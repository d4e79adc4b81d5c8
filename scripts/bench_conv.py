"""Prints a Markdown table of the time that convfilter and other programs need for a frame of 1920 x 1080. Run by
scripts/bench.

All programs filter the same picture, with all cores. The time of a frame is the difference between a long and a short
run, divided by the difference in frames, so that starting and stopping do not count. The programs alternate, in both
orders, so that a change of the machine's speed affects all of them. The table has medians.
"""

import argparse
import math
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

try:
    import cv2
    import PIL
    from PIL import Image, ImageFilter
except ImportError:
    if "--no-peers" not in sys.argv:
        raise

WIDTH, HEIGHT = 1920, 1080
SLOW = 50  # milliseconds
CORES = len(os.sched_getaffinity(0))


# The rows: each is an operation, with its form for each program.


class Row(NamedTuple):
    name: str
    convfilter: str
    pillow: Callable[[], list] | None = None  # returns the filters
    opencv: Callable[[np.ndarray, np.ndarray], object] | None = None  # arguments: input, output
    ffmpeg: str | None = None
    gstreamer: dict[str, tuple[str, str]] = {}  # by format: the format that the element accepts, and the element


# What converting a frame costs the peers.
NO_FILTER = Row("no filter", convfilter="", opencv=lambda image, out: None, ffmpeg="null")


def kernel(side: int) -> Row:
    """Random weights, so that no program can use a shortcut for constant or separable kernels."""
    weights = np.random.default_rng(side).integers(-2, 10, (side, side))
    shares = (weights / weights.sum()).astype(np.float32)
    rows = [" ".join(map(str, row)) for row in weights]
    flat, bottom_up = " ".join(rows), weights[::-1].ravel().tolist()
    return Row(
        f"kernel {side}",
        convfilter=f'filter=kernel kernel="{"; ".join(rows)}"',
        pillow=(lambda: [ImageFilter.Kernel((side, side), bottom_up)]) if side <= 5 else None,
        opencv=lambda image, out: cv2.filter2D(image, -1, shares, dst=out),
        ffmpeg=f"convolution={':'.join(f'{plane}m={flat}' for plane in range(4))}" if side <= 7 else None,
    )


def gaussian(radius: int) -> Row:
    side = 6 * radius + 1
    element = f"cvsmooth type=gaussian color={radius} kernel-width={side} kernel-height={side}"
    return Row(
        f"gaussian {radius}",
        convfilter=f"filter=gaussian-blur radius={radius}",
        pillow=lambda: [ImageFilter.GaussianBlur(radius)],
        opencv=lambda image, out: cv2.GaussianBlur(image, (0, 0), radius, dst=out),
        ffmpeg=f"gblur=sigma={radius}",
        gstreamer={"RGBA": ("RGB", element)},
    )


# Not cvsmooth's median: it fails in GStreamer 1.22.
def median(side: int, gstreamer: dict[str, tuple[str, str]] = {}) -> Row:
    return Row(
        f"median {side}",
        convfilter=f"filter=median size={side}",
        pillow=lambda: [ImageFilter.MedianFilter(side)],
        opencv=lambda image, out: cv2.medianBlur(image, side, dst=out),
        ffmpeg=f"median=radius={side // 2}",
        gstreamer=gstreamer,
    )


def opencv_unsharp(image: np.ndarray, out: np.ndarray) -> None:
    cv2.GaussianBlur(image, (0, 0), 2, dst=out)
    cv2.addWeighted(image, 2.5, out, -1.5, 0, dst=out)


FFMPEG_UNSHARP = "unsharp=lx=13:ly=13:la=1.5:cx=13:cy=13:ca=1.5"

ROWS = [
    NO_FILTER,
    kernel(3),
    kernel(5),
    kernel(7),
    kernel(15),
    gaussian(2),
    gaussian(10),
    Row(
        "box 5",
        convfilter="filter=box-blur radius=5",
        pillow=lambda: [ImageFilter.BoxBlur(5)],
        opencv=lambda image, out: cv2.blur(image, (11, 11), dst=out),
        ffmpeg="avgblur=sizeX=5",
        gstreamer={"RGBA": ("RGB", "cvsmooth type=blur kernel-width=11 kernel-height=11")},
    ),
    Row(
        "unsharp mask",
        convfilter="filter=unsharp-mask radius=2 percent=150 threshold=3",
        pillow=lambda: [ImageFilter.UnsharpMask(2, 150, 3)],
        opencv=opencv_unsharp,
        ffmpeg=FFMPEG_UNSHARP,
    ),
    median(3, gstreamer={"I420": ("I420", "videomedian filtersize=9 lum-only=false")}),
    median(5),
    median(7),
    median(11),
    median(15),
    median(25),
    Row(
        "min 5",
        convfilter="filter=min size=5",
        pillow=lambda: [ImageFilter.MinFilter(5)],
        opencv=lambda image, out: cv2.erode(image, np.ones((5, 5)), dst=out),
        ffmpeg="erosion,erosion",
        gstreamer={"RGBA": ("RGBA", "cverode iterations=2")},
    ),
    Row(
        "rank 5",
        convfilter="filter=rank size=5 rank=6",
        pillow=lambda: [ImageFilter.RankFilter(5, 6)],
        ffmpeg="median=radius=2:percentile=0.25",
    ),
    Row(
        "mode 3",
        convfilter="filter=mode size=3",
        pillow=lambda: [ImageFilter.ModeFilter(3)],
    ),
    Row(
        "chain",
        convfilter='chain="median; gaussian-blur, radius=2; unsharp-mask, radius=2, percent=150, threshold=3"',
        pillow=lambda: [ImageFilter.MedianFilter(3), ImageFilter.GaussianBlur(2), ImageFilter.UnsharpMask(2, 150, 3)],
        opencv=lambda image, out: opencv_unsharp(cv2.GaussianBlur(cv2.medianBlur(image, 3), (0, 0), 2), out),
        ffmpeg=f"median=radius=1,gblur=sigma=2,{FFMPEG_UNSHARP}",
    ),
]

NOTES = f"""\
- Each program uses all {CORES} cores. convfilter, FFmpeg and GStreamer's elements process one frame at a time. OpenCV
  and Pillow, called from Python, process {CORES} frames at a time, since Pillow filters a frame on one core, and OpenCV
  often does, too. The pipelines' sources and sinks cost less than 0.01 ms.
- All four channels of RGBA are filtered (`alpha=true`), and the three planes of YUV, each at its own size. FFmpeg does
  not have these filters for packed RGBA: it gets the four channels as planes (yuva444p), and no conversion is counted.
- NV12 and YUY2: FFmpeg and OpenCV convert each frame to planes and back, which is counted; the row "no filter" has the
  time of these conversions alone. OpenCV has no median of more than 5 x 5 for 16 bits.
- kernel 3: 3 x 3 random integers, divided by their sum. gaussian 2: radius 2. box 5: radius 5, which is 11 x 11.
  unsharp mask: radius 2, percent 150, threshold 3. rank 5: rank=6 of 5 x 5. chain: median 3, gaussian 2, unsharp mask.
- convfilter's results equal Pillow's. In the other programs, medians, min and rank give the same results inside the
  borders, kernels give them up to rounding, and the rest is only similar. FFmpeg: gblur is recursive, avgblur rounds
  down, unsharp has at most 13 x 13, no threshold, and does not filter alpha; min 5 is erosion twice. OpenCV: Gaussian
  weights instead of Pillow's three boxes; no threshold. GStreamer: cvsmooth, with the distribution's OpenCV, accepts
  only RGB, so it filters three channels instead of four.
- spread: (slowest - fastest) / median of the repetitions, for convfilter cpu or the fastest peer, whichever is larger.
  Times above {SLOW} ms are measured once.
- ratio: the fastest peer's time / convfilter cpu's time. Above 1, convfilter is faster.
"""


# The picture: waves and edges with noise, in each program's layout.


def picture() -> np.ndarray:
    """Four planes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    noise = np.random.default_rng(1)
    planes = []
    for i in range(4):
        waves = 60 * np.sin(x / (90 + 40 * i) + y / 170) + 40 * np.cos(y / (50 + 30 * i) - x / 260)
        edges = 40 * np.sign(np.sin(x / 61 + i) * np.sin(y / 47))
        planes.append(128 + waves + edges + noise.normal(0, 5, x.shape))
    return np.clip(planes, 0, 255).astype(np.uint8)


PICTURE = picture()
IMAGES = {
    "RGBA": [np.ascontiguousarray(PICTURE.transpose(1, 2, 0))],
    "RGB": [np.ascontiguousarray(PICTURE[:3].transpose(1, 2, 0))],
    "I420": [PICTURE[0], *(np.ascontiguousarray(plane[::2, ::2]) for plane in PICTURE[1:3])],
}
IMAGES |= {"yuva444p": PICTURE, "yuv420p": IMAGES["I420"]}
IMAGES["NV12"] = [PICTURE[0], np.stack(IMAGES["I420"][1:], -1)]
IMAGES["YUY2"] = [np.stack([PICTURE[0], np.stack(PICTURE[1:3, :, ::2], -1).reshape(HEIGHT, WIDTH)], -1)]
IMAGES["I420_10LE"] = [4 * plane.astype(np.uint16) for plane in IMAGES["I420"]]
FORMATS = ["RGBA", "I420", "NV12", "YUY2", "I420_10LE"]
FILES = tempfile.TemporaryDirectory()


def picture_file(layout: str) -> str:
    file = Path(FILES.name, layout)
    if not file.exists():
        file.write_bytes(b"".join(image.tobytes() for image in IMAGES[layout]))
    return str(file)


# The programs: each returns a function that runs a row on a number of frames of a format, or None if it has no such
# filter.

Run = Callable[[int], object]


def gst_launch(layout: str, element: str) -> Run:
    size = sum(image.nbytes for image in IMAGES[layout])
    command = (
        f"gst-launch-1.0 --quiet filesrc location={picture_file(layout)} blocksize={size} num-buffers=1"
        f" ! rawvideoparse format={layout.lower().replace('_', '-')} width={WIDTH} height={HEIGHT}"
        f" ! imagefreeze num-buffers=%d ! {element} ! fakesink sync=false"
    )
    return lambda frames: execute(command % frames)


def convfilter(backend: str) -> Callable[[Row, str], Run | None]:
    def run(row: Row, layout: str) -> Run | None:
        element = f"convfilter backend={backend} alpha=true {row.convfilter}"
        return gst_launch(layout, element) if row.convfilter else None

    return run


def gstreamer(row: Row, layout: str) -> Run | None:
    return gst_launch(*row.gstreamer[layout]) if layout in row.gstreamer else None


# FFmpeg's name of each format, of the file that has its frame, and of the planar format that it is converted to.
FFMPEG_FORMATS = {
    "RGBA": ("yuva444p", "yuva444p", None),
    "I420": ("yuv420p", "yuv420p", None),
    "NV12": ("nv12", "NV12", "yuv420p"),
    "YUY2": ("yuyv422", "YUY2", "yuv422p"),
    "I420_10LE": ("yuv420p10le", "I420_10LE", None),
}


def ffmpeg(row: Row, layout: str) -> Run | None:
    name, file, planar = FFMPEG_FORMATS[layout]
    filters = [f"format={planar}", row.ffmpeg, f"format={name}"] if planar else [row.ffmpeg]
    command = (
        f"ffmpeg -nostdin -v error -f rawvideo -pix_fmt {name} -s {WIDTH}x{HEIGHT}"
        f" -i {picture_file(file)} -filter_threads {CORES} -vf 'loop=%d:1,{','.join(filters)}' -f null -"
    )
    return (lambda frames: execute(command % (frames - 1))) if row.ffmpeg else None


def opencv(row: Row, layout: str) -> Run | None:
    """Each thread reuses one output buffer for each plane, as an application would."""
    has_median = layout != "I420_10LE" or row.name in ["median 3", "median 5"]
    if not row.opencv or row.name.startswith("median") and not has_median:
        return None
    thread = threading.local()

    def frame(_: int) -> None:
        planes = opencv_planes(layout)
        if not hasattr(thread, "out"):
            thread.out = [np.empty_like(plane) for plane in planes]
        for plane, out in zip(planes, thread.out):
            row.opencv(plane, out)
        if layout in ["NV12", "YUY2"]:
            y, *colors = thread.out
            packed = cv2.merge(colors)
            if layout == "YUY2":
                cv2.merge([y, packed.reshape(y.shape)])

    return in_threads(frame)


def opencv_planes(layout: str) -> list[np.ndarray]:
    """The frame's planes: OpenCV's filters do not take frames whose channels have different sizes."""
    images = IMAGES[layout]
    if layout == "NV12":
        return [images[0], *cv2.split(images[1])]
    if layout == "YUY2":
        y, colors = cv2.split(images[0])
        return [y, *cv2.split(colors.reshape(HEIGHT, WIDTH // 2, 2))]
    return images


def pillow(row: Row, layout: str) -> Run | None:
    if not row.pillow or layout not in ["RGBA", "I420"]:
        return None
    images, filters = [Image.fromarray(image) for image in IMAGES[layout]], row.pillow()

    def frame(_: int) -> None:
        for image in images:
            for pillow_filter in filters:
                image = image.filter(pillow_filter)

    return in_threads(frame)


def execute(command: str) -> None:
    subprocess.run(shlex.split(command), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def in_threads(frame: Callable[[int], None]) -> Run:
    def run(frames: int) -> None:
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(frame, range(frames)))

    return run


# Measuring.


def seconds(run: Run, frames: int) -> float:
    start = time.perf_counter()
    run(frames)
    return time.perf_counter() - start


def milliseconds(run: Run, frames: int, minimum: float) -> tuple[float, int]:
    """The time of a frame, and the number of frames, which grows from `frames` until they take `minimum` seconds."""
    short = seconds(run, CORES)
    while (spent := seconds(run, CORES + frames) - short) < minimum:
        # Grows in few rounds, because starting a GPU takes time in each of them.
        frames *= min(max(3, math.ceil(1.3 * minimum / max(spent, 0.001))), 30)
    return 1000 * spent / frames, frames


def measure(rows: list[Row], programs: dict, repetitions: int, minimum: float) -> dict:
    """The milliseconds per frame of every repetition, by row name, format and program."""
    runs = {
        (row.name, layout, name): run
        for row in rows
        for layout in FORMATS
        if row is not NO_FILTER or layout in ["NV12", "YUY2"]
        for name, program in programs.items()
        if (run := program(row, layout))
    }
    # Multiples of CORES keep all threads busy.
    frames, times = dict.fromkeys(runs, CORES), defaultdict(list)
    for repetition in range(repetitions):
        for cell in list(runs)[:: -1 if repetition % 2 else 1]:
            # Slow programs are measured once: noise hardly changes their times.
            if times[cell] and times[cell][0] > SLOW:
                continue
            spent, frames[cell] = milliseconds(runs[cell], frames[cell], minimum)
            times[cell].append(spent)
            print(f"{repetition + 1}/{repetitions}", *cell, f"{spent:.2f} ms", sep=", ", file=sys.stderr)
    return times


# The table.


def table(rows: list[Row], programs: dict, times: dict) -> str:
    lines = [["format", "operation", *programs, "spread", "ratio"]]
    lines.append(["---"] * 2 + ["---:"] * (len(lines[0]) - 2))
    for layout in FORMATS:
        for row in rows:
            measured = {name: times[row.name, layout, name] for name in programs if (row.name, layout, name) in times}
            medians = {name: statistics.median(values) for name, values in measured.items()}
            if not medians:
                continue
            ours = "convfilter cpu" if row.convfilter else next(iter(medians))
            peers = [name for name in medians if not name.startswith("convfilter")]
            best = min(peers, key=medians.get, default=None)
            spreads = [(max(measured[name]) - min(measured[name])) / medians[name] for name in (ours, best or ours)]
            cells = [f"{medians[name]:.2f}" if name in medians else "-" for name in programs]
            if "GStreamer" in medians:
                cells[list(programs).index("GStreamer")] += f" ({row.gstreamer[layout][1].split()[0]})"
            ratio = f"{medians[best] / medians[ours]:.2f} ({best})" if best and row.convfilter else "-"
            lines.append([layout, row.name, *cells, f"{max(spreads):.0%}", ratio])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def printed(pattern: str, command: str) -> str:
    output = subprocess.run(shlex.split(command), check=True, text=True, capture_output=True).stdout
    return re.search(pattern, output, re.MULTILINE)[1].strip()


def gpu_name() -> str:
    frame = "videotestsrc num-buffers=1 ! convfilter backend=gpu filter=smooth ! fakesink"
    return printed("adapter-name = (.*)", f"gst-launch-1.0 --verbose {frame}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench conv")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repetitions, without the GPU")
    parser.add_argument("--no-gpu", action="store_true", help="do not measure the GPU")
    parser.add_argument("--no-peers", action="store_true", help="only convfilter, on the GPU even with --quick")
    parser.add_argument("--only", metavar="NAMES", help='only these rows: "median 5,box 5"')
    options = parser.parse_args()

    rows = ROWS
    if options.only:
        names = [name.strip() for name in options.only.split(",")]
        rows = [row for row in ROWS if row.name in names]
        if len(rows) < len(names):
            parser.error(f"the rows are: {', '.join(row.name for row in ROWS)}")

    programs = {"convfilter cpu": convfilter("cpu")}
    if not (options.no_gpu or options.quick and not options.no_peers):
        programs[f"convfilter gpu: {gpu_name()}"] = convfilter("gpu")
    if not options.no_peers:
        programs |= {"FFmpeg": ffmpeg, "OpenCV": opencv, "Pillow": pillow, "GStreamer": gstreamer}
        cv2.setNumThreads(CORES)
    times = measure(rows, programs, *((2, 0.2) if options.quick else (3, 0.6)))

    cpu = printed("^Model name:(.*)", "lscpu")
    versions = [f"convfilter {printed('^ *Version(.*)', 'gst-inspect-1.0 stylefilter')}"]
    if not options.no_peers:
        versions.append(f"FFmpeg {printed('^ffmpeg version ([^ ]*)', 'ffmpeg -version')}")
        versions += [f"OpenCV {cv2.__version__}", f"Pillow {PIL.__version__}"]
    versions.append(printed("^(GStreamer .*)", "gst-launch-1.0 --version"))
    print(f"Milliseconds per frame of {WIDTH} x {HEIGHT}, on {cpu}, {CORES} cores: {', '.join(versions)}.\n")
    print(table(rows, programs, times))
    if not options.no_peers:
        print(f"\n{NOTES}", end="")


main()
