#!/usr/bin/env python3
"""Test oracle: four neural-style-transfer programs, reimplemented with PyTorch and SciPy.

    /usr/bin/python3 recipes.py REQUEST.json          prints one JSON object to stdout

Request: "recipe": pytorch-tutorial | d2l | keras | torch-early-stop; "weights": a .safetensors file of f32
features.N.weight/bias; "content", "style": raw little-endian f32, RGB in 0..1, shape (3, H, W); "size", "style_size":
[H, W]; "start": a raw f32 file (3, H, W) in the space that the program optimizes in, or null for the content picture;
"content_layers", "style_layers": null for the recipe's own or lists such as ["conv4_2", "relu1_1"] (conv: before the
ReLU, relu: after it); "evaluations": the number of evaluations of loss and gradient to record; "double": whether to
compute in f64. The original programs do not; the difference from f32 shows how far rounding errors affect the results.

Answer: "losses", "style", "content", "tv": the weighted total and its parts at each evaluation (null: not finite);
"picture": the path of a raw f32 file beside the request, RGB clamped to 0..1: the variable at the program's end, which
for Adam and torch's L-BFGS is after the update that follows the last recorded evaluation, and for SciPy the last
evaluated point; "evaluated": the same for the point of the last recorded evaluation, which losses[-1] belongs to.
"""
import json
import math
import os
import pathlib
import struct
import sys

import numpy
# Must be set before torch is imported. Otherwise the two threads spin while they wait for each other, and if anything
# else is running (another oracle, the engine under test), an evaluation takes twenty times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import torch
import torch.nn.functional as F
from scipy.optimize import fmin_l_bfgs_b

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
BGR_MEAN = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
REAL = torch.float32  # the type of all computations


class Finished(Exception):
    """Raised instead of the first evaluation after the last one to record."""


def read_planes(path, size):
    return torch.from_numpy(numpy.fromfile(path, dtype="<f4")).to(REAL).view(1, 3, *size)


def write_planes(path, rgb):
    rgb.clamp(0, 1).contiguous().numpy().astype("<f4").tofile(path)


def read_safetensors(path):
    blob = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", blob)
    tensors = {}
    for name, entry in json.loads(blob[8:8 + length]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", name
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        array = numpy.frombuffer(blob[begin:end], dtype="<f4").copy()
        tensors[name] = torch.from_numpy(array).to(REAL).view(entry["shape"])
    return tensors


def read_network(path):
    """The convolutions in order: (name such as "4_2", weight, bias, whether a max pooling comes before it)."""
    tensors = read_safetensors(path)
    names = [key.split(".") for key in tensors]
    indices = sorted(int(name[1]) for name in names if name[0] == "features" and name[2] == "weight")
    network, block, number, before = [], 1, 0, -2
    for index in indices:
        gap = index - before
        assert gap in (2, 3), f"features.{index} comes {gap} after the convolution before it"
        block, number = (block, number + 1) if gap == 2 else (block + 1, 1)
        weight, bias = (tensors[f"features.{index}.{part}"] for part in ("weight", "bias"))
        network.append((f"{block}_{number}", weight, bias, gap == 3))
        before = index
    return network


def feature_maps(network, x, wanted):
    """The wanted maps by name. Layers after the deepest one are not computed."""
    maps = {}
    for name, weight, bias, pooled in network:
        if pooled:
            x = F.max_pool2d(x, 2, 2)
        x = F.conv2d(x, weight, bias, padding=1)
        maps["conv" + name] = x
        x = F.relu(x)
        maps["relu" + name] = x
        if wanted <= maps.keys():
            return maps
    sys.exit(f"the network lacks {sorted(wanted - maps.keys())}")


class Recipe:
    """The common part. Each recipe defines its layers, its weights, the space of its variable and its optimiser."""
    content_weight = style_weight = 1
    content_factor = style_factor = 1  # the features are multiplied by these before the loss
    from_rgb = staticmethod(lambda rgb: rgb)  # RGB in 0..1 to the space of the variable
    to_rgb = staticmethod(lambda x: x)  # and back
    network_input = staticmethod(lambda x: x)  # the variable to the network's input
    distance = staticmethod(F.mse_loss)  # of Gram matrices, and of feature maps

    def __init__(self, request):
        self.network = read_network(request["weights"])
        self.content_layers = request.get("content_layers") or self.content_layers
        self.style_layers = request.get("style_layers") or self.style_layers
        self.limit = request["evaluations"]
        self.rows = []  # (total, style, content, tv) of each recorded evaluation
        self.point = None  # the point of the last evaluation
        content = self.from_rgb(read_planes(request["content"], request["size"]))
        style = self.from_rgb(read_planes(request["style"], request["style_size"]))
        with torch.no_grad():
            self.content_targets = self.features(content)[1]
            self.style_targets = self.features(style)[0]
        start = read_planes(request["start"], request["size"]) if request.get("start") else content
        self.x = start.clone().requires_grad_()

    def gram(self, features):
        flat = features.flatten(2)[0]
        return flat @ flat.t() / features.numel()  # C*H*W

    def features(self, x):
        maps = feature_maps(self.network, self.network_input(x), set(self.style_layers) | set(self.content_layers))
        return ([self.gram(maps[name] * self.style_factor) for name in self.style_layers],
                [maps[name] * self.content_factor for name in self.content_layers])

    def tv(self, x):
        return torch.zeros(())

    def evaluate(self, x, point):
        """Loss at x; its gradient goes to x.grad. It is recorded unless the evaluation before was at the same point.

        When a step of torch's L-BFGS ends early because of its tolerances, the next step evaluates the same point
        again, and a run of SciPy's starts where the last one ended. Such repeated evaluations are not recorded, but
        they are made, because the optimiser needs the gradient."""
        is_new = self.point is None or not torch.equal(point, self.point)
        if is_new and len(self.rows) == self.limit:
            raise Finished
        grams, maps = self.features(x)
        style = sum(map(self.distance, grams, self.style_targets)) * self.style_weight
        content = sum(map(self.distance, maps, self.content_targets)) * self.content_weight
        tv = self.tv(x)
        total = style + content + tv
        x.grad = None
        total.backward()
        if is_new:
            self.rows.append([part.item() for part in (total, style, content, tv)])
            self.point = point.clone()
        return total.detach()


class PytorchTutorial(Recipe):
    content_layers = ["conv2_2"]
    style_layers = ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"]
    style_weight = 1e6
    network_input = staticmethod(lambda x: (x - MEAN) / STD)
    clamp, stops_early, steps = True, False, sys.maxsize

    def run(self):
        optimiser, last = torch.optim.LBFGS([self.x]), math.inf

        def closure():
            if self.clamp:
                self.x.data.clamp_(0, 1)
            return self.evaluate(self.x, self.x.detach())

        for _ in range(self.steps):
            recorded = len(self.rows)
            optimiser.step(closure)
            converged = len(self.rows) == recorded  # every further step would evaluate the same point
            if converged or self.stops_early and not self.rows[-1][0] < last:
                break
            last = self.rows[-1][0]


class TorchEarlyStop(PytorchTutorial):
    content_layers = ["conv5_2"]
    style_layers = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
    style_weight = 1
    content_factor, style_factor = 0.025, 5
    network_input = staticmethod(Recipe.network_input)
    clamp, stops_early, steps = False, True, 100


class D2l(Recipe):
    content_layers = ["relu4_4"]
    style_layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1"]
    style_weight = 1e3 * 10  # the program's list `10 * styles` holds each loss ten times
    from_rgb = staticmethod(lambda rgb: (rgb - MEAN) / STD)
    to_rgb = staticmethod(lambda x: x * STD + MEAN)

    def tv(self, x):
        down, across = x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]
        return 10 * 0.5 * (down.abs().mean() + across.abs().mean())

    def run(self):
        optimiser = torch.optim.Adam([self.x], lr=0.3)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, 50, 0.8)
        for _ in range(self.limit):
            self.point = None  # records every step, even if it did not move the point
            self.evaluate(self.x, self.x.detach())
            optimiser.step()
            schedule.step()


class Keras(Recipe):
    content_layers = ["relu4_2"]
    style_layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    content_weight = 0.025
    from_rgb = staticmethod(lambda rgb: rgb.flip(1) * 255 - BGR_MEAN)
    to_rgb = staticmethod(lambda x: ((x + BGR_MEAN) / 255).flip(1))
    distance = staticmethod(lambda a, b: (a - b).square().sum())

    def __init__(self, request):
        super().__init__(request)
        height, width = request["size"]
        self.style_weight = 1.0 / len(self.style_layers) / (4 * 3 ** 2 * (height * width) ** 2)

    def gram(self, features):
        flat = features.flatten(2)[0]
        return flat @ flat.t()

    def tv(self, x):
        corner = x[:, :, :-1, :-1]
        a, b = (corner - x[:, :, 1:, :-1]).square(), (corner - x[:, :, :-1, 1:]).square()
        return (a + b).pow(1.25).sum()

    def run(self):
        def loss_and_gradient(vector):
            point = torch.from_numpy(vector.copy())
            x = point.to(REAL).view(self.x.shape).requires_grad_()
            loss = self.evaluate(x, point)
            return loss.item(), x.grad.double().numpy().ravel()

        vector, recorded = self.x.detach().double().numpy().ravel(), -1
        try:
            while len(self.rows) > recorded:  # ends after a run without a new point
                recorded = len(self.rows)
                # SciPy checks maxfun only between iterations, so a run makes 21 evaluations or a few more.
                vector, _, _ = fmin_l_bfgs_b(loss_and_gradient, vector, maxfun=20)
        finally:
            self.x.data = self.point.to(REAL).view(self.x.shape)


RECIPES = {"pytorch-tutorial": PytorchTutorial, "d2l": D2l, "keras": Keras, "torch-early-stop": TorchEarlyStop}


def main(path):
    torch.set_num_threads(2)
    request = json.loads(pathlib.Path(path).read_text())
    global REAL
    REAL = torch.float64 if request.get("double") else REAL
    recipe = RECIPES[request["recipe"]](request)
    try:
        recipe.run()
    except Finished:
        pass
    columns = [[value if math.isfinite(value) else None for value in column] for column in zip(*recipe.rows)]
    answer = dict(zip(("losses", "style", "content", "tv"), columns))
    for key, x in (("picture", recipe.x.detach()), ("evaluated", recipe.point.to(REAL).view(recipe.x.shape))):
        answer[key] = os.path.splitext(os.path.abspath(path))[0] + f".{key}.f32"
        write_planes(answer[key], recipe.to_rgb(x))
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
