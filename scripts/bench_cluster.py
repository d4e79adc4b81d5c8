"""Prints a Markdown table of the time that scripts/cluster needs with one and two workers. Run by scripts/bench."""

import argparse
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
OUT = ROOT / "target/bench-cluster"
FILM, STYLE = OUT / "film.mp4", SHARED / "images/style/starry_night.jpg"
WIDTH, HEIGHT, RATE = 384, 216, 24
# The film alternates between parts of a camera's clip, which begin at these seconds, and photographs with a panning
# camera.
BEGINNINGS = [0, 4, 8, 12]
PHOTOGRAPHS = ["golden_gate.jpg", "tubingen.jpg", "kodim03.png", "coffee.png"]
ROUNDS = 3
WAYS = {"without Ray": 0, "1 worker": 1, "2 workers": 2}
STAGES = r"found in ([\d.]+) s, Ray started in ([\d.]+) s, shots made in ([\d.]+) s, joined in ([\d.]+) s"


def make_film(frames: int) -> None:
    """Eight shots with sound."""
    inputs, filters, names = [], [], []
    size = f"fps={RATE},scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT}"
    for shot, (begin, photograph) in enumerate(zip(BEGINNINGS, PHOTOGRAPHS)):
        inputs += ["-i", SHARED / "video/cockatoo.mp4", "-loop", "1", "-t", "10", "-i", SHARED / "images/content" / photograph]
        moving = f"scale={WIDTH * 2}:-1,crop={WIDTH * 3 // 2}:{HEIGHT * 3 // 2}:x=2*n:y=n"
        for index, prepare in ((2 * shot, f"trim={begin},setpts=PTS-STARTPTS"), (2 * shot + 1, moving)):
            filters.append(f"[{index}:v]{prepare},{size},setsar=1,trim=end_frame={frames},setpts=PTS-STARTPTS,"
                           f"format=yuv420p[v{index}]")
            names.append(f"[v{index}]")
    graph = ";".join([*filters, f"{''.join(names)}concat=n={len(names)}[v]"])
    command = ["ffmpeg", "-y", "-loglevel", "error", *inputs, "-f", "lavfi", "-i", "sine=440", "-filter_complex", graph]
    command += ["-map", "[v]", "-map", f"{len(names)}:a", "-shortest", "-crf", "18", "-c:a", "aac", FILM]
    subprocess.run(command, check=True)


def measure(workers: int) -> list[float]:
    """The times in seconds: total, finding the shots, starting Ray, making the shots, joining the film."""
    output = OUT / "painted.mp4"
    options = [FILM, output, "--overwrite", "--style", STYLE, "--set", "size=256"]
    begin = time.monotonic()
    if workers == 0:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        transcode = ROOT / "target/release/transcode"
        subprocess.run([transcode, *options], check=True, capture_output=True, env=environment)
        return [time.monotonic() - begin]
    command = [ROOT / "scripts/cluster", *options, "--workers", str(workers)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [time.monotonic() - begin, *map(float, re.search(STAGES, output).groups())]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench cluster")
    parser.add_argument("--quick", action="store_true", help="a shorter film, measured once")
    options = parser.parse_args()
    frames, rounds = (12, 1) if options.quick else (36, ROUNDS)
    OUT.mkdir(parents=True, exist_ok=True)
    make_film(frames)
    measured: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way, workers in sorted(WAYS.items(), reverse=number % 2 == 1):
            measured[way].append(measure(workers))
    print(f"A film of 8 shots of {frames} frames, {WIDTH}x{HEIGHT}, painted at 256x144; seconds, medians of {rounds}, and "
          f"their range.\n\n| | in all | shots found | Ray started | shots made | joined |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for way, runs in measured.items():
        cells = [f"{statistics.median(stage):.2f} ({min(stage):.2f} to {max(stage):.2f})" for stage in zip(*runs)]
        print(f"| {way} | {' | '.join(cells)} |{' | | | |' if len(cells) == 1 else ''}")
    for what, stage in (("all", 0), ("the making of shots", 3)):
        one, two = (statistics.median(run[stage] for run in measured[way]) for way in ("1 worker", "2 workers"))
        # Amdahl: two = one * (share + (1 - share) / 2).
        print(f"\nOf {what}, {2 * two / one - 1:.0%} did not scale: two workers took {two / one:.2f} times as long as one.")


if __name__ == "__main__":
    main()
