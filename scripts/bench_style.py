"""Prints Markdown tables of the speed of styletransfer, compared with PyTorch and with the hardware's limits. Run by
scripts/bench.

The PyTorch programs run in a Python with the engine's version of torch, with the same weights, layers and sizes: (a)
the loop of PyTorch's tutorial "Neural Transfer", (b) the same with frozen weights. TORCH_PYTHON names that Python;
without one, their columns are empty.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import bench_stability as stability
import numpy as np
import painting

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT.parent / "shared/weights"
STYLE = ROOT.parent / "shared/images/style/starry_night.jpg"
CLIP = ROOT.parent / "shared/video/cockatoo.mp4"
OUT = ROOT / "target/bench-style"
STEPS = ROOT / "target/release/steps"
PEER = ROOT / "scripts/bench_style_peer.py"
SIZES = [(256, 144), (512, 288), (960, 540)]
VERSION = "2.11"


def python() -> str | None:
    """A Python with the engine's version of torch."""
    for name in [os.environ.get("TORCH_PYTHON", ""), sys.executable, "python3"]:
        if shutil.which(name):
            command = [name, "-c", "import torch; print(torch.__version__)"]
            if subprocess.run(command, capture_output=True, text=True).stdout.startswith(VERSION):
                return name
    return None


def run(*command: object) -> dict:
    """A program's output, which is JSON, and its maximum memory in MB."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed: {process.returncode}")
    return {**json.loads(output), "memory": usage.ru_maxrss / 1024}


class Figures:
    """The times of a program's steps in milliseconds, and its maximum memory, over several processes."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.memory = 0.0

    def add(self, answer: dict) -> None:
        self.times += answer["ms"]
        self.memory = max(self.memory, answer["memory"])

    def __str__(self) -> str:
        if not self.times:
            return "-"
        return f"{self.median():.3g} ({min(self.times):.3g} to {max(self.times):.3g})"

    def median(self) -> float:
        return statistics.median(self.times)

    def ratio(self, other: "Figures") -> str:
        return f"{self.median() / other.median():.2f}" if self.times and other.times else "-"


def steps(device: str, peer: str | None, networks: dict[str, Path], rounds: int, few: bool) -> None:
    """Prints the table of steps. The programs alternate; every second round has the reverse order."""
    rates = run(peer, PEER, "rates", device) if peer else {}
    print(f"\n## A step, in milliseconds, on {rates.get('name', device)}\n")
    if rates:
        print(
            f"Measured: matrices {rates['f32'] / 1e12:.3g} TFLOP/s in f32, {rates['bf16'] / 1e12:.3g} in bf16; memory "
            f"{rates['bytes'] / 1e9:.3g} GB/s.\n"
        )
    print("| size | network | precision | ours | ours in f32 | (a) tutorial | (b) frozen | (a) / ours | (b) / ours "
          "| floor: matrices, memory | memory, MB: ours, (b) |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for width, height in SIZES[: 1 if few else None]:
        for network, weights in networks.items():
            count = (4 if width < 960 else 2) if device == "cpu" else 40
            size = [width, height]
            ways = {
                "ours": [STEPS, *size, count, 3, f"weights={weights}", f"device={device}"],
                "f32": [STEPS, *size, count, 3, f"weights={weights}", f"device={device}", "precision=f32"],
            }
            if peer:
                ways["b"] = [peer, PEER, "steps", device, weights, *size, count, 3, "frozen"]
                ways["a"] = [peer, PEER, "steps", device, weights, *size, count, 3, "tutorial"]
            figures = {way: Figures() for way in ["ours", "f32", "a", "b"]}
            precision = ""
            for number in range(rounds):
                for way in sorted(ways, reverse=number % 2 == 1):
                    answer = run(*ways[way])
                    figures[way].add(answer)
                    precision = answer.get("precision", precision) if way == "ours" else precision
            ours, f32, a, b = figures.values()
            floor = "-"
            if rates:
                work = run(peer, PEER, "work", weights, *size)
                each = 2 if precision == "bf16" else 4
                floor = f"{work['flop'] / rates[precision] * 1e3:.3g}, {work['values'] * each / rates['bytes'] * 1e3:.3g}"
            print(
                f"| {width}x{height} | {network} | {precision} | {ours} | {f32} | {a} | {b} | {a.ratio(ours)} | "
                f"{b.ratio(ours)} | {floor} | {ours.memory:.0f}, {b.memory:.0f} |",
                flush=True,
            )


def element(device: str, weights: Path, sizes: list[tuple[int, int]], frames: int, rounds: int) -> None:
    """Prints the table of the element's frame rates, from the difference in time between a long and a short film."""
    print(f"\n## Frames per second of the element, {weights.stem}, on {device}\n")
    print("| film | size | one step per frame | K = 1 | K = 4 | K = 8 |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    ways = ["iterations=1 max-frame-time=1 size=0", "iterations=1", "iterations=4", "iterations=8"]
    for width, height in sizes:
        for film, described in [("moving", "the clip, its camera moves"), ("standing", "a third of it moves")]:
            raw = OUT / f"{film}-{width}x{height}.rgb"
            write_film(raw, width, height, frames, film == "standing")

            def seconds(count: int, settings: str) -> float:
                begin = time.monotonic()
                subprocess.run(
                    f"gst-launch-1.0 -q filesrc location={raw} ! rawvideoparse format=rgb width={width} height={height} "
                    f"framerate=25/1 ! identity eos-after={count} ! styletransfer style={STYLE} weights={weights} "
                    f"device={device} {settings} ! fakesink sync=false",
                    shell=True, check=True, stdout=subprocess.DEVNULL,
                )
                return time.monotonic() - begin

            short, long = frames // 3, frames
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(rounds):
                for way in sorted(ways, reverse=number % 2 == 1):
                    rates[way].append((long - short) / (seconds(long, way) - seconds(short, way)))
            cells = [f"{statistics.median(fps):.1f} ({min(fps):.1f} to {max(fps):.1f})" for fps in rates.values()]
            print(f"| {described} | {width}x{height} | " + " | ".join(cells) + " |", flush=True)


def write_film(path: Path, width: int, height: int, frames: int, standing: bool) -> None:
    """Writes the clip's first frames. If `standing`, only the middle third of the picture moves."""
    film = painting.clip(CLIP, frames, width, height)
    if standing:
        outside = np.abs(np.arange(width) - width / 2) > width / 6
        film = np.where(outside[:, None], film[0], film)
    film.tofile(path)


def reached(frames: int) -> None:
    """Prints the table of stability and quality for numbers of steps."""
    film = painting.clip(CLIP, frames, stability.WIDTH, stability.HEIGHT)
    style = painting.picture(STYLE, stability.WIDTH)
    flow = stability.engine_flow(film, style)
    print(f"\n## What steps reach: {len(film)} frames of 480x270, compact network\n")
    print("| warm-start | K | E_warp, own flow | mean + covariance | content | steps | ms a frame |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    compact = f"weights={WEIGHTS / 'vgg19-compact16.safetensors'}"
    for warm_start, k in [("flow", 1), ("flow", 4), ("flow", 8), ("previous", 4), ("none", 4)]:
        settings = [f"warm-start={warm_start}", f"iterations={k}"]
        if warm_start == "none":
            settings.append(f"first-iterations={k}")
        result = painting.repaint(film, style, compact, *settings)
        # Measured by the built-in network, which did not paint.
        measured = painting.judge(result.film[9::10], film[9::10], style)
        style_loss, content_loss = (statistics.mean(line[name] for line in measured) for name in ("moments", "content"))
        print(
            f"| {warm_start} | {k} | {stability.e_warp(result.film, flow):.5f} | {style_loss:.4f} | {content_loss:.2f} | "
            f"{result.mean('steps'):.1f} | {statistics.median(line['ms'] for line in result.lines[1:]):.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, sizes and frames")
    quick = parser.parse_args().quick
    OUT.mkdir(parents=True, exist_ok=True)
    peer = python()
    if peer is None:
        print(f"No Python with torch {VERSION} was found, so PyTorch's columns are empty. Set TORCH_PYTHON to one.")
    compact, shallow = (WEIGHTS / f"vgg19-{name}.safetensors" for name in ("compact16", "conv3_1"))
    built_in = OUT / "built-in.safetensors"
    run(STEPS, 64, 64, 1, 1, "device=cpu", f"write={built_in}")
    networks = {"built-in": built_in, "compact": compact, "VGG19 to conv3_1": shallow}
    devices = run(peer, PEER, "devices")["devices"] if peer else ["cpu"]
    for device in devices:
        full = {}
        if device != "cpu":
            full["VGG19 to conv5_1, seeded"] = OUT / "seeded.safetensors"
            run(peer, PEER, "seed", full["VGG19 to conv5_1, seeded"])
        steps(device, peer, networks | full, 1 if quick else 2, quick and device == "cpu")
        element(device, compact, [(320, 180)], 30 if quick else 60, 1 if quick else 3)
        for weights in full.values():
            element(device, weights, [(960, 540)], 60, 1 if quick else 3)
    if devices == ["cpu"]:
        print("\nThere was no NVIDIA GPU, so its rows are missing.")
    reached(40 if quick else 60)


if __name__ == "__main__":
    main()
