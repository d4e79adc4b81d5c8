"""What Pillow and NumPy make of pictures: reads requests, each a line of JSON and the picture's bytes, and writes the
results. A request with a border is for NumPy, which pads the picture as it says."""

import json
import sys

import numpy as np
from PIL import Image, ImageFilter

FIXED = ["blur", "contour", "detail", "edge-enhance", "edge-enhance-more", "emboss", "find-edges", "smooth",
         "smooth-more", "sharpen"]


def filter_of(request):
    name = request["filter"]
    if name in FIXED:
        return getattr(ImageFilter, name.upper().replace("-", "_"))
    if name == "kernel":
        return ImageFilter.Kernel(request["shape"], request["kernel"], request["scale"], request["offset"])
    if name == "gaussian-blur":
        return ImageFilter.GaussianBlur(tuple(request["radius"]))
    if name == "box-blur":
        return ImageFilter.BoxBlur(tuple(request["radius"]))
    if name == "unsharp-mask":
        return ImageFilter.UnsharpMask(request["radius"], request["percent"], request["threshold"])
    if name == "rank":
        return ImageFilter.RankFilter(request["window"], request["rank"])
    if name in ("median", "min", "max", "mode"):
        return getattr(ImageFilter, name.capitalize() + "Filter")(request["window"])
    raise ValueError(name)


def resolve(position, length, border):
    """Where a window looks for the sample at `position`; -1 for a zero."""
    if 0 <= position < length:
        return position
    if border == "zero":
        return -1
    if border == "mirror" and length > 1:
        distance = abs(position) % (2 * (length - 1))
        return min(distance, 2 * (length - 1) - distance)
    return min(max(position, 0), length - 1)


def by_numpy(plane, request):
    """One plane, filtered as its definition says, window by window."""
    height, width = plane.shape
    rows, cols = request["window"]
    border = request["border"]
    extended = np.concatenate([plane.reshape(-1), [0]])
    result = plane.copy()
    for y in range(height):
        ys = [resolve(y + j - rows // 2, height, border) for j in range(rows)]
        for x in range(width):
            xs = [resolve(x + i - cols // 2, width, border) for i in range(cols)]
            outside = ys[0] != y - rows // 2 or ys[-1] != y + rows - 1 - rows // 2 \
                or xs[0] != x - cols // 2 or xs[-1] != x + cols - 1 - cols // 2
            if border == "copy" and outside:
                continue
            window = np.array([[extended[-1 if min(i, j) < 0 else j * width + i] for i in xs] for j in ys])
            if request["filter"] == "kernel":
                total = (window * np.array(request["kernel"]).reshape(rows, cols)).sum() + request["offset"]
                result[y, x] = np.clip(np.floor(total + 0.5), 0, 255)
            else:
                result[y, x] = np.sort(window, None)[request["rank"]]
    return result


def process(request, data):
    width, height = request["size"]
    if "border" in request:
        planes = np.frombuffer(data, np.uint8).reshape(height, width, -1).astype(int)
        filtered = [by_numpy(planes[:, :, band], request) for band in range(planes.shape[2])]
        return np.stack(filtered, 2).astype(np.uint8).tobytes()
    picture = Image.frombytes(request["mode"], (width, height), data)
    return picture.filter(filter_of(request)).tobytes()


for line in sys.stdin.buffer:
    request = json.loads(line)
    width, height = request["size"]
    data = sys.stdin.buffer.read(width * height * len(request["mode"]))
    sys.stdout.buffer.write(process(request, data))
