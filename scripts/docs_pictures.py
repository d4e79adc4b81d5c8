"""Makes the pictures of docs/first-five-minutes.md, docs/settings.md, docs/models.md, docs/masks.md and docs/deepdream.md,
and the studio's of models, from the demo's film and style. Run by scripts/docs --pictures."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

ROOT = Path(__file__).resolve().parent.parent
FILM, STYLE = ROOT / "target/demo/source.mp4", ROOT / "target/demo/style.png"
PICTURES = ROOT / "docs/pictures"
# The studio's page, whose gallery shows what the models paint.
STUDIO, THUMBNAIL = ROOT / "apps/studio/src/page", 160
# The frame to show. For filters, a part of it is shown at its original size, so that single samples can be seen.
FRAME, PART = 50, (190, 64, 478, 226)
CELL = (288, 162)
# Frames are painted at this size, and scaled to a cell.
PAINTED = (480, 270)
GAP, LABEL = 6, 20


def launch(line):
    # The built-in network must be used, not the user's weights.
    nowhere = str(ROOT / "target/no-weights")
    environment = os.environ | {"XDG_DATA_HOME": nowhere, "TORCH_HOME": nowhere, "OMP_WAIT_POLICY": "passive"}
    environment.pop("STYLEFILTER_WEIGHTS", None)
    subprocess.run(["gst-launch-1.0", "--quiet", *shlex.split(line)], env=environment, check=True)


class Film:
    """The frames of the demo's film."""

    def __init__(self, folder):
        self.folder = Path(folder)
        launch(f"filesrc location={FILM} ! decodebin ! videoconvert ! video/x-raw,format=RGB ! pngenc"
               f" ! multifilesink location={self.folder}/%03d.png")

    def through(self, element, size, frames=1, format="RGB"):
        """The last `frames` frames up to FRAME, processed by an element."""
        print(element, flush=True)
        results = self.folder / "results"
        results.mkdir(exist_ok=True)
        launch(f"multifilesrc location={self.folder}/%03d.png start-index={FRAME - frames + 1} stop-index={FRAME}"
               f" caps=image/png,framerate=25/1 ! pngdec ! videoconvert ! videoscale"
               f" ! video/x-raw,format={format},width={size[0]},height={size[1]}"
               f" ! {element} ! videoconvert ! pngenc ! multifilesink location={results}/%03d.png")
        return [Image.open(results / f"{index:03}.png").convert("RGB") for index in range(frames)]

    def filtered(self, settings, part=PART, format="RGB"):
        """A part of the frame, processed by convfilter; the label is the settings."""
        [frame] = self.through(f"convfilter {settings}", (640, 360), format=format)
        return settings.removeprefix("filter=kernel "), frame.crop(part)

    def painted(self, settings):
        """The frame, painted by styletransfer; the label is the settings."""
        [frame] = self.through(f"styletransfer style={STYLE} {settings}", PAINTED)
        return settings, frame

    def last_and_change(self, settings, frames):
        """The last of some painted frames, and its difference from the one before, multiplied by four."""
        before, after = self.through(f"styletransfer style={STYLE} {settings}", PAINTED, frames)[-2:]
        change = ImageChops.difference(before, after).point(lambda value: min(4 * value, 255))
        return (settings, after), ("its change", change)


def write(name, cells, columns=3):
    """Writes a sheet of labelled pictures."""
    font = ImageFont.load_default(13)
    width, height = CELL[0] + GAP, CELL[1] + GAP + LABEL
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(cells):
        left, top = index % columns * width, index // columns * height
        draw.text((left, top + 2), label, "black", font)
        picture = picture.copy()
        picture.thumbnail(CELL, Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, top + LABEL))
    path = PICTURES / f"{name}.jpg"
    sheet.save(path, quality=66, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def convfilter(film):
    filtered = film.filtered
    _, frame = filtered("")
    write("filters", [("the frame", frame)] + [filtered(f"filter={settings}") for settings in [
        "blur", "smooth-more", "detail", "sharpen", "edge-enhance-more", "contour", "find-edges", "emboss",
        "min size=5", "max size=5", "mode size=9"]])
    write("numbers", [filtered(f"filter={settings}") for settings in [
        "gaussian-blur radius=1", "gaussian-blur radius=4", "gaussian-blur radius=12",
        "unsharp-mask percent=50", "unsharp-mask percent=150", "unsharp-mask percent=400",
        "median size=3", "median size=9", "median size=21",
        "emboss mix=0.25", "emboss mix=0.5", "emboss mix=0.75"]])
    corner = (0, 0, *CELL)
    write("kernels", [
        *(filtered(f"filter=kernel {settings}") for settings in [
            'kernel="1 1 0; 1 1 -1; 0 -1 -1"', 'kernel="1 1 1 1 1 1 1 1 1 1 1 1 1"',
            'kernel="-1 0 1; -2 0 2; -1 0 1" offset=128']),
        *(filtered(f"filter=box-blur radius=15 border={border}", corner) for border in ["clamp", "copy", "zero"]),
        *(filtered(f"filter=emboss planes={planes}", format="I420") for planes in ["auto", "luma", "all"])])
    presets = ["pencil", "chalk", "oil", "comic", "relief", "glow", "crisp", "clean"]
    write("convfilter-presets",
          [("the frame", frame)] + [filtered(f"@preset={preset}", format="I420") for preset in presets])


def first_minutes(film):
    """GStreamer's test picture, embossed and painted."""
    def shown(element):
        path = film.folder / "test.png"
        launch(f"videotestsrc num-buffers=1 ! video/x-raw,format=RGB,width=320,height=180 ! {element} ! pngenc"
               f" ! filesink location={path}")
        return Image.open(path).convert("RGB")

    style = ROOT / "examples/painting.jpg"
    write("first-minutes", [("videotestsrc", shown("identity")), ("filter=emboss", shown("convfilter filter=emboss")),
                            ("style=examples/painting.jpg", shown(f"styletransfer style={style}"))])


def styletransfer(film):
    painted = film.painted
    [frame] = film.through("identity", PAINTED)
    _, plain = painted("")
    write("styles", [("the frame", frame), ("the style", Image.open(STYLE).convert("RGB")),
                     painted("content-weight=0.5"),
                     ("content-weight=2, the default", plain), painted("content-weight=5"), painted("content-weight=20"),
                     painted("style-scale=0.5"), ("style-scale=1, the default", plain), painted("style-scale=2")])
    write("colors", [painted("strength=0.3"), painted("strength=0.6"), ("strength=1, the default", plain),
                      ("original-colors=none, the default", plain), painted("original-colors=match"),
                      painted("original-colors=luma")])
    write("steps", [painted("first-iterations=5"), painted("first-iterations=20"),
                    ("first-iterations=120, the default", plain),
                    painted("size=120"), painted("size=240"), ("size=480, the frame's own", plain)])
    # With warm-start=none, a frame does not depend on earlier ones, so two frames are enough.
    ways = [("warm-start=flow", 25), ("warm-start=previous", 25), ("warm-start=none", 2)]
    lasts, changes = zip(*(film.last_and_change(*way) for way in ways))
    write("warm-starts", [*lasts, *changes])
    presets = ["live @preset=clear", "film @preset=clear", "clear", "bold", "fine", "gentle"]
    write("styletransfer-presets", [painted(f"@preset={preset}") for preset in presets])


def models(film):
    def painted(name):
        return f"model={name}", film.through(f"styletransfer model={name}", PAINTED)[-1]

    [frame] = film.through("identity", PAINTED)
    pictures = [painted(name) for name in ["starry-night", "the-scream", "shipwreck"]]
    write("models", [("the frame", frame), *pictures], columns=2)
    for label, picture in pictures:
        thumbnail = ImageOps.fit(picture, (THUMBNAIL, THUMBNAIL))
        thumbnail.save(STUDIO / f"{label.removeprefix('model=')}.jpg", quality=85)


def masks(film):
    """The pictures of docs/masks.md: a soft disk as the mask, and the demo's style with its colors inverted as a second."""
    size = PAINTED
    mask, second = film.folder / "mask.png", film.folder / "second.png"
    disk = Image.new("L", size, 0)
    ImageDraw.Draw(disk).ellipse((size[0] * 0.3, size[1] * 0.1, size[0] * 0.75, size[1] * 0.9), fill=255)
    disk.filter(ImageFilter.GaussianBlur(4)).save(mask)
    ImageOps.invert(Image.open(STYLE).convert("RGB")).save(second)
    [frame] = film.through("identity", size)
    [two] = film.through(f"styletransfer style={STYLE},{second} mask={mask}", size)
    [blurred] = film.through(f"convfilter filter=gaussian-blur radius=8 mask={mask} mask-invert=true", size)
    inside, outside = (film.painted(f"mask={mask}{invert}")[1] for invert in ["", " mask-invert=true"])
    write("masks", [("the frame", frame), ("mask.png", Image.open(mask).convert("RGB")), ("mask=mask.png", inside),
                    ("mask=mask.png mask-invert=true", outside), ("style=a.png,b.png mask=mask.png", two),
                    ("convfilter, mask-invert=true", blurred)])


def dreams(film):
    def dreamt(settings, frames=1):
        return film.through(f"styletransfer {settings}", PAINTED, frames)[-1]

    [frame] = film.through("identity", PAINTED)
    look = "recipe=deepdream content-layers=conv3_1"
    write("dream", [("the frame", frame)] + [(label, dreamt(settings)) for label, settings in [
        ("recipe=deepdream: channels 1 and 6", "recipe=deepdream"),
        ("content-layers=relu3_1: all channels", "recipe=deepdream content-layers=relu3_1"),
        ("@preset=dream-cells: channels=14", "@preset=dream-cells"), ("channels=39,53", f"{look} channels=39,53"),
        ("channels=54", f"{look} channels=54")]])
    write("dream-settings", [(label, dreamt(settings)) for label, settings in [
        ("content-layers=relu1_2", "recipe=deepdream content-layers=relu1_2"),
        ("content-layers=relu2_2", "recipe=deepdream content-layers=relu2_2"),
        ("style=painting.jpg, a guide", f"recipe=deepdream style={STYLE}"),
        ("octaves=1", "@preset=dream octaves=1"), ("octaves=7", "@preset=dream octaves=7"),
        ("learning-rate=0.5", "@preset=dream learning-rate=0.5")]])
    write("tunnel", [(f"frame {frame}", dreamt("@preset=tunnel", frame)) for frame in (1, 12, 25)])


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        film = Film(folder)
        first_minutes(film)
        convfilter(film)
        styletransfer(film)
        models(film)
        masks(film)
        dreams(film)
