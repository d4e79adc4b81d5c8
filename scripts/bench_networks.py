"""Prints a Markdown table of how well networks paint, judged by VGG19 to conv3_1 at equal steps and content loss, and lays
their pictures side by side in target/bench-networks. Run by scripts/bench."""

import argparse
import math
from pathlib import Path

import bench_stability as stability
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
OUT = ROOT / "target/bench-networks"
JUDGE = SHARED / "weights/vgg19-conv3_1.safetensors"
LONGEST = 384
STEPS = 150
# None of these pictures is among those that the built-in network was trained with.
PAIRS = [(content, style) for content in ["golden_gate.jpg", "chelsea.png", "tubingen.jpg"]
         for style in ["starry_night.jpg", "the_scream.jpg"]]
# Content weights, in times that of the recipe: losses at equal content lie between.
FACTORS = [0.25, 0.5, 1, 2, 4]
CONTENT_WEIGHT = 2.0


def paint(network: Path, content: np.ndarray, style: np.ndarray, factor: float) -> tuple[np.ndarray, float, float]:
    """The picture, and its style and content losses."""
    settings = [f"weights={network}", f"judge={JUDGE}", "measure=1", f"first-iterations={STEPS}"]
    result = stability.repaint(content[None], style, *settings, f"content-weight={CONTENT_WEIGHT * factor}")
    return result.film[0], result.lines[0]["style"], result.lines[0]["content"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench networks")
    parser.add_argument("networks", nargs="*", help="NAME=FILE, more networks to compare")
    options = parser.parse_args()
    for folder in (OUT, stability.OUT):
        folder.mkdir(parents=True, exist_ok=True)
    networks = {
        **{name: Path(path) for name, path in (option.split("=", 1) for option in options.networks)},
        "compact": SHARED / "weights/vgg19-compact16.safetensors",
        "VGG19 to conv3_1": JUDGE,
    }
    style_losses: dict[str, list[float]] = {name: [] for name in networks}
    rows = []
    for content_name, style_name in PAIRS:
        content = stability.picture(SHARED / "images/content" / content_name, LONGEST)
        style = stability.picture(SHARED / "images/style" / style_name, LONGEST)
        painted_by = {
            name: [paint(network, content, style, factor) for factor in FACTORS] for name, network in networks.items()
        }
        _, _, wanted = painted_by["VGG19 to conv3_1"][FACTORS.index(1)]
        row = [content]
        for name, painted in painted_by.items():
            by_content = sorted((math.log(loss), math.log(style_loss)) for _, style_loss, loss in painted)
            style_losses[name].append(math.exp(np.interp(math.log(wanted), *zip(*by_content))))
            row.append(min(painted, key=lambda result: abs(math.log(result[2] / wanted)))[0])
        rows.append(np.concatenate(row, 1))
    print("| network | " + " | ".join(f"{Path(c).stem}, {Path(s).stem}" for c, s in PAIRS) + " | times VGG19's |")
    print("| --- |" + " ---: |" * (len(PAIRS) + 1))
    for name, losses in style_losses.items():
        ratio = math.exp(np.mean([math.log(a / b) for a, b in zip(losses, style_losses["VGG19 to conv3_1"])]))
        print(f"| {name} | " + " | ".join(f"{loss:.4f}" for loss in losses) + f" | {ratio:.2f} |")
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    Image.fromarray(np.concatenate(padded)).save(OUT / "side-by-side.png")
    print(f"\nFrom left to right: the content, {', '.join(networks)}.")


if __name__ == "__main__":
    main()
