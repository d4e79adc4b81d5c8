#!/usr/bin/env python3
"""Test oracle: DeepDream in PyTorch, with gradients by autograd.

    /usr/bin/python3 dream.py REQUEST.json          prints one JSON object to stdout

Request: "weights": a .safetensors file of f32 features.N.weight/bias; "layers": names such as "relu3_1"; "channels": a
list, or null for all; "content": raw little-endian f32, RGB in 0..1, shape (3, H, W); "size": [H, W]; "guide",
"guide_size": the same of the guide, or null; "octaves", "octave_scale", "steps", "jitter", "seed", "rate".

Answer: "losses": the loss before each step; "picture": the path of a raw f32 file beside the request, the dream.
"""
import json
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

from recipes import MEAN, STD, read_network, read_planes

GUIDE_SIDE = 256
MIN_SIDE = 32


class Random:
    """SplitMix64, as the engine draws 32-bit floats from it."""

    def __init__(self, seed):
        self.state = seed

    def draw(self):
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        bits = self.state
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        bits ^= bits >> 31
        return (numpy.float32(bits >> 40) + numpy.float32(0.5)) / numpy.float32(2**24)


def resized(values, size):
    return F.interpolate(values, size, mode="bicubic", antialias=True, align_corners=False)


def features(network, picture, wanted):
    """The chosen layers' features of a picture in 0..1."""
    x, found = (picture - MEAN) / STD, {}
    for name, weight, bias, pooled in network:
        x = F.max_pool2d(x, 2) if pooled else x
        x = F.conv2d(x, weight, bias, padding=1)
        found["conv" + name] = x
        x = F.relu(x)
        found["relu" + name] = x
    return [found[layer] for layer in wanted]


def excitation(own, guide):
    """What is raised at a layer: half of the mean square, or the mean of the best products with a guide's features."""
    if guide is None:
        return own.square().mean() / 2
    products = torch.einsum("cn,cm->nm", own[0].flatten(1), guide[0].flatten(1))
    return products.max(1).values.sum() / own.numel()


def main():
    request = json.loads(pathlib.Path(sys.argv[1]).read_text())
    network = read_network(request["weights"])
    layers = sorted(request["layers"], key=lambda layer: layer[4:])

    def chosen(picture):
        found = features(network, picture, layers)
        return [own if request["channels"] is None else own[:, request["channels"]] for own in found]

    guides = [None] * len(layers)
    if request["guide"]:
        height, width = request["guide_size"]
        scale = GUIDE_SIDE / max(height, width)
        guide = resized(read_planes(request["guide"], [height, width]), [round(height * scale), round(width * scale)])
        guides = chosen(guide.clamp(0, 1))

    content = read_planes(request["content"], request["size"])
    sizes = [[round(side / request["octave_scale"]**octave) for side in request["size"]]
             for octave in range(request["octaves"])]
    sizes = [size for size in sizes if size == request["size"] or min(size) >= MIN_SIDE][::-1]
    random, losses, detail = Random(request["seed"]), [], None
    for size in sizes:
        base = resized(content, size).clamp(0, 1)
        picture = base if detail is None else base + resized(detail, size)
        for _ in range(request["steps"]):
            span = numpy.float32(2 * request["jitter"] + 1)
            shift = [int(random.draw() * span) - request["jitter"] for _ in range(2)]
            leaf = torch.roll(picture, shift, (2, 3)).requires_grad_()
            raised = sum(excitation(own, guide) for own, guide in zip(chosen(leaf), guides))
            (gradient,) = torch.autograd.grad(raised, leaf)
            moved = leaf.detach() + request["rate"] / 255 * gradient / gradient.abs().mean()
            picture = torch.roll(moved, [-pixels for pixels in shift], (2, 3)).clamp(0, 1)
            losses.append(-raised.item())
        detail = picture - base
    path = pathlib.Path(sys.argv[1]).with_name("dream.raw")
    picture.contiguous().numpy().astype("<f4").tofile(path)
    print(json.dumps({"losses": losses, "picture": str(path)}))


main()
