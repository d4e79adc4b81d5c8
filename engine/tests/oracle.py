"""A VGG network in NumPy: python oracle.py WEIGHTS PICTURE HEIGHT WIDTH

Writes, for each convolution in the file, the features after its ReLU and their Gram matrix, as raw f32.
"""

import json
import sys

import numpy as np

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def read_safetensors(path):
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items() if name != "__metadata__"
    }


def convolve(x, weight, bias):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("chwij,ocij->ohw", windows, weight, optimize=True) + bias[:, None, None]


def pool(x):
    channels, height, width = x.shape
    x = x[:, :height // 2 * 2, :width // 2 * 2]
    return x.reshape(channels, height // 2, 2, width // 2, 2).max((2, 4))


weights, picture, height, width = sys.argv[1:]
tensors = read_safetensors(weights)
x = np.fromfile(picture, np.float32).reshape(3, int(height), int(width))
x = (x - MEAN[:, None, None]) / STD[:, None, None]
before = None
for index in sorted(int(name.split(".")[1]) for name in tensors if name.endswith(".weight")):
    if before is not None and index - before == 3:
        x = pool(x)
    before = index
    x = np.maximum(convolve(x, tensors[f"features.{index}.weight"], tensors[f"features.{index}.bias"]), 0)
    flat = x.reshape(len(x), -1)
    for result in (x, flat @ flat.T / flat.shape[1]):
        sys.stdout.buffer.write(result.astype(np.float32).tobytes())
