"""Filters pictures with Pillow and NumPy. Reads requests, each a line of JSON followed by the picture's bytes, and
writes the results. NumPy handles requests with a border, which Pillow does not support, and samples of more than
8 bits, for which Pillow supports kernels only."""

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
    """The position of the sample that a window uses at `position`; -1 stands for a zero."""
    if 0 <= position < length:
        return position
    if border == "zero":
        return -1
    if border == "mirror" and length > 1:
        distance = abs(position) % (2 * (length - 1))
        return min(distance, 2 * (length - 1) - distance)
    return min(max(position, 0), length - 1)


def by_numpy(plane, request):
    """Filters a plane according to the filter's definition."""
    height, width = plane.shape
    rows, cols = request["window"]
    border = request["border"]
    extended = np.pad(plane, ((0, 1), (0, 1)))  # a zero at index -1
    ys = [resolve(y - rows // 2, height, border) for y in range(height + rows - 1)]
    xs = [resolve(x - cols // 2, width, border) for x in range(width + cols - 1)]
    windows = np.lib.stride_tricks.sliding_window_view(extended[np.ix_(ys, xs)], (rows, cols))
    if request["filter"] == "kernel":
        kernel = np.array(request["kernel"]).reshape(rows, cols)
        total = np.einsum("yxij,ij->yx", windows, kernel) + request["offset"]
        # Pillow rounds half up. A convolution with NumPy truncates, for which the request has its own value.
        result = np.clip(np.floor(total + request.get("rounding", 0.5)), 0, 255).astype(int)
    else:
        result = np.sort(windows.reshape(height, width, -1), 2)[:, :, request["rank"]]
    if border == "copy":
        up, left = min(rows // 2, height), min(cols // 2, width)
        down, right = max(height - (rows - 1 - rows // 2), up), max(width - (cols - 1 - cols // 2), left)
        inside = np.zeros(plane.shape, bool)
        inside[up:down, left:right] = True
        result = np.where(inside, result, plane)
    return result


def box_blur(plane, radius, axis):
    """The algorithm of Pillow's BoxBlur.c along one axis, for samples of any depth."""
    radius = np.float32(radius)
    whole = int(radius)
    inner = int(np.float32(2**24) / np.float32(radius * 2 + 1))
    edge = (2**24 - (2 * whole + 1) * inner) // 2
    padding = [(0, 0), (0, 0)]
    padding[axis] = (whole + 1, whole + 1)
    padded = np.pad(plane.astype(np.int64), padding, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * whole + 3, axis)
    return (inner * windows[..., 1:-1].sum(-1) + edge * (windows[..., 0] + windows[..., -1]) + 2**23) >> 24


def gaussian_blur(plane, sigma):
    """The algorithm of Pillow's GaussianBlur: three box blurs along each axis."""
    sigma2 = np.float32(np.float32(sigma) ** 2 / np.float32(3))
    length = np.float32(np.sqrt(12.0 * sigma2 + 1.0))
    whole = np.float32(np.floor((float(length) - 1) / 2))
    fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * sigma2) / (6 * (sigma2 - (whole + 1) * (whole + 1)))
    for axis in (1, 1, 1, 0, 0, 0):
        plane = box_blur(plane, whole + fraction, axis)
    return plane


def unsharp_mask(plane, request, largest):
    plane = plane.astype(np.int64)
    difference = plane - gaussian_blur(plane, request["radius"])
    added = np.sign(difference) * (abs(difference) * request["percent"] // 100)
    counts = abs(difference) > request["threshold"] * request["level"]
    return np.clip(np.where(counts, plane + added, plane), 0, largest)


def mode(plane, size):
    result = plane.copy()
    for (y, x), _ in np.ndenumerate(plane):
        window = plane[max(y - size // 2, 0):y + size // 2 + 1, max(x - size // 2, 0):x + size // 2 + 1]
        values, counts = np.unique(window, return_counts=True)
        if counts.max() > 2:
            result[y, x] = values[counts.argmax()]
    return result


def deep(plane, request):
    """Filters a plane whose samples are up to request["largest"], and whose 8-bit levels are request["level"]."""
    name, largest = request["filter"], request["largest"]
    if name in FIXED:
        size, scale, offset, kernel = filter_of(request).filterargs
        offset = np.float32(offset * request["level"])
        picture = Image.fromarray(plane.astype(np.uint16)).filter(ImageFilter.Kernel(size, kernel, scale, offset))
        return np.minimum(np.asarray(picture), largest)
    if name == "gaussian-blur":
        return gaussian_blur(plane, request["radius"][0])
    if name == "box-blur":
        return box_blur(box_blur(plane, request["radius"][0], 1), request["radius"][1], 0)
    if name == "unsharp-mask":
        return unsharp_mask(plane, request, largest)
    if name == "mode":
        return mode(plane, request["window"])
    size = request["window"]
    return by_numpy(plane.astype(int), {"filter": "rank", "border": "clamp", "window": [size, size], "rank": request["rank"]})


def blend(request, data):
    """Blends two components by a mask at the frame's size, whose means count where the component has fewer samples. The
    least and the greatest result: what is nearly a half may be rounded either way in 32 bits."""
    (width, height), (across, down) = request["frame"], request["component"]
    samples = np.frombuffer(data, "<u2" if request["mode"] == "I;16" else np.uint8)
    before, after, mask = np.split(samples.astype(float), [across * down, 2 * across * down])
    x, y = -(-width // across), -(-height // down)
    padding = ((0, down * y - height), (0, across * x - width))
    padded = np.pad(mask.reshape(height, width) / request["white"], padding, constant_values=np.nan)
    shares = np.nanmean(padded.reshape(down, y, across, x).transpose(0, 2, 1, 3).reshape(down, across, -1), 2).ravel()
    exact = before + (after - before) * shares
    nearly = 0.02 if samples.itemsize > 1 else 0.001
    results = np.concatenate([np.floor(exact + 0.5 - nearly), np.floor(exact + 0.5 + nearly), mask])
    return results.astype(samples.dtype).tobytes()


def process(request, data):
    width, height = request["size"]
    if request["filter"] == "blend":
        return blend(request, data)
    if "largest" in request:
        plane = np.frombuffer(data, "<u2").reshape(height, width)
        return deep(plane, request).astype("<u2").tobytes()
    if "border" in request:
        planes = np.frombuffer(data, np.uint8).reshape(height, width, -1).astype(int)
        filtered = [by_numpy(planes[:, :, band], request) for band in range(planes.shape[2])]
        return np.stack(filtered, 2).astype(np.uint8).tobytes()
    picture = Image.frombytes(request["mode"], (width, height), data)
    return picture.filter(filter_of(request)).tobytes()


for line in sys.stdin.buffer:
    request = json.loads(line)
    width, height = request["size"]
    channels = 2 if request["mode"] == "I;16" else len(request["mode"])
    data = sys.stdin.buffer.read(width * height * channels)
    sys.stdout.buffer.write(process(request, data))
