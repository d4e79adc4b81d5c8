"""What Pillow makes of pictures: reads requests, each a line of JSON and the picture's bytes, and writes the results."""

import json
import sys

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
    if name == "median":
        return ImageFilter.MedianFilter(request["window"])
    raise ValueError(name)


for line in sys.stdin.buffer:
    request = json.loads(line)
    width, height = request["size"]
    data = sys.stdin.buffer.read(width * height * len(request["mode"]))
    picture = Image.frombytes(request["mode"], (width, height), data)
    sys.stdout.buffer.write(picture.filter(filter_of(request)).tobytes())
