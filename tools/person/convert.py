#!/usr/bin/env python3
"""Converts MediaPipe's network for selfie segmentation (Apache-2.0) to safetensors in 16 bits, as it is stored there.

    npm pack @mediapipe/selfie_segmentation@0.1.1675465747
    tar --extract --file mediapipe-selfie_segmentation-*.tgz package/selfie_segmentation.tflite
    python3 -m venv venv && venv/bin/pip install ai-edge-litert==2.3.0 numpy pillow safetensors tflite==2.18.0
    venv/bin/python tools/person/convert.py package/selfie_segmentation.tflite

It writes engine/weights/person.safetensors, and for engine/tests/person.rs a drawn figure with the mask that the original
network gives it, computed by LiteRT: engine/tests/person.png and engine/tests/person-mask.png.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageDraw, ImageFilter
from safetensors.numpy import save_file

ENGINE = Path(__file__).resolve().parents[2] / "engine"
SIDE = 256


def tensors(file):
    """The weights and biases by their layers' names, in PyTorch's order of dimensions."""
    model = tflite.Model.GetRootAs(file, 0)
    graph = model.Subgraphs(0)
    converted = {}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        layer, _, part = tensor.Name().decode().partition("/")
        data = model.Buffers(tensor.Buffer()).DataAsNumpy()
        if tensor.Type() != tflite.TensorType.FLOAT16 or part not in ("Kernel", "Bias"):
            continue
        values = np.frombuffer(data.tobytes(), np.float16).reshape(tensor.ShapeAsNumpy())
        if part == "Bias":
            converted[f"{layer}.bias"] = values
        elif layer.startswith("depthwise"):
            converted[f"{layer}.weight"] = values.transpose(3, 0, 1, 2)
        elif layer == "segment":
            # A transposed convolution: PyTorch has the input's channels first.
            converted[f"{layer}.weight"] = values.transpose(3, 0, 1, 2)
        else:
            converted[f"{layer}.weight"] = values.transpose(0, 3, 1, 2)
    return {name: np.ascontiguousarray(values) for name, values in converted.items()}


def figure():
    """Head and shoulders before a wall."""
    picture = Image.new("RGB", (SIDE, SIDE), (150, 170, 160))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 70, 120), fill=(90, 110, 150))
    draw.ellipse((38, 165, 218, 420), fill=(60, 50, 120))
    draw.rectangle((110, 130, 146, 190), fill=(200, 150, 125))
    draw.ellipse((84, 45, 172, 165), fill=(70, 45, 30))
    draw.ellipse((92, 58, 164, 165), fill=(220, 170, 145))
    for x in (112, 144):
        draw.ellipse((x - 6, 100, x + 6, 108), fill=(250, 250, 250))
        draw.ellipse((x - 3, 101, x + 3, 107), fill=(40, 30, 30))
    draw.line((128, 108, 124, 126), fill=(180, 130, 110), width=3)
    draw.ellipse((114, 136, 142, 146), fill=(170, 70, 70))
    return picture.filter(ImageFilter.GaussianBlur(1))


def mask(path, picture):
    """The mask that the original network gives a picture of its size."""
    network = Interpreter(str(path))
    network.allocate_tensors()
    [source], [result] = network.get_input_details(), network.get_output_details()
    network.set_tensor(source["index"], np.asarray(picture, np.float32)[None] / 255)
    network.invoke()
    return network.get_tensor(result["index"])[0, :, :, 0]


def main():
    path = Path(sys.argv[1])
    file = path.read_bytes()
    origin = f"selfie_segmentation.tflite, SHA-256 {hashlib.sha256(file).hexdigest()}, of npm's @mediapipe/selfie_segmentation"
    about = {
        "provenance": f"tools/person/convert.py from {origin} 0.1.1675465747",
        "license": "Apache-2.0, Copyright The MediaPipe Authors",
    }
    save_file(tensors(file), ENGINE / "weights/person.safetensors", about)
    figure().save(ENGINE / "tests/person.png", optimize=True)
    levels = np.rint(mask(path, figure()) * 255).astype(np.uint8)
    Image.fromarray(levels).save(ENGINE / "tests/person-mask.png", optimize=True)


main()
