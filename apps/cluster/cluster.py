"""Filters or repaints a film with Ray: one task per shot, then the shots are joined. Run by scripts/cluster."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# These must be set before Ray is imported. They turn off usage reports, and errors of further shots after the first
# one.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")

import ray

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "release"
# Prefixes of variables that tasks get, too: set by scripts/env or the user. All nodes have the project at the same
# path.
PASSED_ON = ("CARGO_", "GST_", "LIBTORCH", "OMP_", "STYLEFILTER_", "XDG_DATA_HOME")
NANOSECONDS = 10**9


def arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="scripts/cluster",
        allow_abbrev=False,
        description="Filters or repaints a film, several shots at the same time. All other options are passed to "
        "transcode: --style, --set, --encoder, ...",
        epilog="After an interruption, finished shots remain in OUTPUT.shots, and the same command continues from there.",
    )
    parser.add_argument("film", type=Path, metavar="INPUT", help="any film that GStreamer can read")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="the film to write: .mp4, .mkv or .webm")
    parser.add_argument("--address", help="a Ray cluster, as for ray.init: auto, ray://HOST:10001 [default: this machine]")
    parser.add_argument("--cpus", type=float, default=1, help="CPUs per shot [default: %(default)s]")
    parser.add_argument(
        "--gpus", type=float, default=0, help="GPUs per shot; with 0.5, two shots share one [default: %(default)s]"
    )
    parser.add_argument(
        "--workers", type=int, help="maximum number of shots at the same time [default: as CPUs and GPUs allow]"
    )
    parser.add_argument("--retries", type=int, default=3, help="retries for a failed shot [default: %(default)s]")
    parser.add_argument("--overwrite", action="store_true", help="replace OUTPUT, if it exists")
    own, others = parser.parse_known_args()
    if refused := {"--start", "--duration", "--preview", "--resume"} & {option.partition("=")[0] for option in others}:
        parser.error(f"{refused.pop()}: not available here, since the whole film is converted")
    if not own.film.is_file():
        parser.error(f"{own.film}: no such file")
    if own.output.suffix not in (".mp4", ".mkv", ".webm"):
        parser.error(f"{own.output}: the output's extension must be one of .mp4, .mkv, .webm")
    if own.output.exists() and own.output.samefile(own.film):
        parser.error(f"{own.output} is the input, too")
    if own.output.exists() and not own.overwrite:
        parser.error(f"{own.output} already exists: --overwrite replaces it")
    folder = own.output.with_suffix(".shots")
    if folder.exists() and not (folder / "plan.json").is_file():
        parser.error(f"{folder} is in the way, and was not made by this program: rename it")
    return own, others


def program(name: str, *command: object, given: str | None = None) -> str:
    """Runs a program and returns its output, or ends with its error message."""
    run = subprocess.run([PROGRAMS / name, *command], input=given, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr.strip())
    return run.stdout.strip()


class Plan:
    """A film's shots, and the folder with the finished ones."""

    def __init__(self, film: Path, output: Path, options: list[str]):
        self.film, self.output, self.options = film.absolute(), output, options
        self.folder = output.with_suffix(".shots")
        file = self.folder / "plan.json"
        # Shots of another film, or with other options, must not be reused.
        wanted = {"options": options, "files": {name: stamp(name) for name in [str(self.film), *named_files(options)]}}
        plan = json.loads(file.read_text()) if file.exists() else {}
        if any(plan.get(key) != value for key, value in wanted.items()):
            shutil.rmtree(self.folder, ignore_errors=True)
            plan = wanted | {"shots": json.loads(program("cluster", "shots", film))}
            self.folder.mkdir(parents=True)
            file.write_text(json.dumps(plan))
        self.shots = plan["shots"]
        for index, shot in enumerate(self.shots):
            shot["file"] = str(self.folder / f"{index:05}{output.suffix}")

    def missing(self) -> list[int]:
        """Unfinished shots, longest first: a long shot that starts last would run alone."""
        missing = [index for index, shot in enumerate(self.shots) if not Path(shot["file"]).exists()]
        return sorted(missing, key=lambda index: -self.shots[index]["frames"])

    def command(self, index: int) -> list[str]:
        """transcode's options for a shot."""
        begin = self.shots[index]["begin"]
        command = [*self.options, "--start", seconds(begin)]
        if index + 1 < len(self.shots):
            command += ["--duration", seconds(self.shots[index + 1]["begin"] - begin)]
        return command

    def keep(self, index: int, film: bytes) -> None:
        file = Path(self.shots[index]["file"])
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_bytes(film)
        unfinished.rename(file)

    def join(self) -> None:
        unfinished = self.folder / f"whole{self.output.suffix}"
        program("cluster", "join", self.film, unfinished, given=json.dumps(self.shots))
        os.replace(unfinished, self.output)
        shutil.rmtree(self.folder)


def stamp(name: str) -> list[int]:
    status = os.stat(name)
    return [status.st_size, status.st_mtime_ns]


def named_files(options: list[str]) -> list[str]:
    """The files among options like `--style a.jpg,b.jpg` and `--set weights=c.pth`."""
    names = [name for option in options for name in option.partition("=")[2].split(",") + option.split(",")]
    return [name for name in names if os.path.isfile(name)]


def seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // NANOSECONDS}.{nanoseconds % NANOSECONDS:09}"


class ShotFailed(Exception):
    pass


@ray.remote
def make(film: Path, suffix: str, options: list[str], folder: str, environment: dict[str, str]) -> tuple[bytes, float]:
    """Converts a shot; returns the film and the time that it took."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / f"shot{suffix}"
        # transcode must end when its worker is killed.
        command = ["setpriv", "--pdeathsig", "KILL", PROGRAMS / "transcode", film, output, *options]
        run = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
        if run.returncode:
            reason = run.stderr.strip().rpartition("\n")[2]
            raise ShotFailed(reason or f"transcode was ended by signal {-run.returncode}")
        return output.read_bytes(), time.monotonic() - begin


def make_all(plan: Plan, own: argparse.Namespace) -> None:
    """Makes the missing shots, at most `own.workers` at the same time."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    # On every node, a shot uses its share of the cores only, and does not keep them busy while it waits.
    environment |= {"OMP_NUM_THREADS": str(max(1, int(own.cpus))), "OMP_WAIT_POLICY": "passive"}
    task = make.options(num_cpus=own.cpus, num_gpus=own.gpus, max_retries=own.retries, retry_exceptions=True)
    waiting, running = plan.missing(), {}
    left = len(waiting)
    while waiting or running:
        while waiting and (own.workers is None or len(running) < own.workers):
            index = waiting.pop(0)
            reference = task.remote(plan.film, plan.output.suffix, plan.command(index), os.getcwd(), environment)
            running[reference] = index
        (done,), _ = ray.wait(list(running))
        index = running.pop(done)
        try:
            film, took = ray.get(done)
        except ray.exceptions.RayError as error:
            reason = error.cause if isinstance(error, ray.exceptions.RayTaskError) else type(error).__name__
            raise SystemExit(f"the shot at {seconds(plan.shots[index]['begin'])} s failed: {reason}") from None
        plan.keep(index, film)
        left -= 1
        print(f"the shot at {plan.shots[index]['begin'] / NANOSECONDS:.1f} s: {plan.shots[index]['frames']} frames "
              f"in {took:.1f} s; {left} left", flush=True)


def main() -> None:
    own, options = arguments()
    times = [time.monotonic()]
    plan = Plan(own.film, own.output, options)
    frames = sum(shot["frames"] for shot in plan.shots)
    print(f"{own.film}: {len(plan.shots)} shots, {frames} frames", flush=True)
    times.append(time.monotonic())
    if own.address:
        ray.init(own.address, log_to_driver=False)
    else:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", _node_ip_address="127.0.0.1")
    # A background process ignores Ctrl-C by default, and Ray's handler for SIGTERM ends the process at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    times.append(time.monotonic())
    make_all(plan, own)
    ray.shutdown()
    times.append(time.monotonic())
    plan.join()
    times.append(time.monotonic())
    found, started, made, joined = (after - before for before, after in zip(times, times[1:]))
    print(f"{own.output}: {frames} frames; shots found in {found:.2f} s, Ray started in {started:.2f} s, "
          f"shots made in {made:.2f} s, joined in {joined:.2f} s")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; the same command continues from there")
