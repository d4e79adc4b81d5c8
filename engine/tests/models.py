"""Feed-forward networks in PyTorch: of its example fast_neural_style, of CycleGAN and pix2pix, and TorchScript modules.

python models.py make FOLDER     writes networks with seeded weights in each form of file
python models.py paint JOB ...   paints raw pictures of f32, (3, H, W) in 0..1; a job is eight arguments:
    MODEL INPUT HEIGHT WIDTH EXTENDED_HEIGHT EXTENDED_WIDTH PICTURE RESULT
python models.py time MODEL HEIGHT WIDTH COUNT    prints the times of some passes in milliseconds, as JSON
"""

import json
import os
import sys
import time
from collections import OrderedDict

import numpy

os.environ["OMP_WAIT_POLICY"] = "passive"
import torch
from torch import nn

# The value of black, that of white, and whether the order of the channels is reversed.
INPUTS = {"rgb-1": (0, 1, False), "rgb-255": (0, 255, False), "rgb-signed": (-1, 1, False),
          "bgr-1": (0, 1, True), "bgr-255": (0, 255, True), "bgr-signed": (-1, 1, True)}


class Layer(nn.Module):
    """fast_neural_style's ConvLayer, and its UpsampleConvLayer."""

    def __init__(self, inputs, outputs, side, stride=1, enlarge=1):
        super().__init__()
        self.enlarge = enlarge
        self.pad = nn.ReflectionPad2d(side // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, side, stride)

    def forward(self, x):
        if self.enlarge > 1:
            x = nn.functional.interpolate(x, mode="nearest", scale_factor=self.enlarge)
        return self.conv2d(self.pad(x))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.in1 = Layer(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True)
        self.conv2, self.in2 = Layer(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x):
        return x + self.in2(self.conv2(torch.relu(self.in1(self.conv1(x)))))


class FastNeuralStyle(nn.Module):
    def __init__(self, width, blocks=5):
        super().__init__()
        channels = [width, 2 * width, 4 * width, 2 * width, width]
        self.conv1, self.conv2 = Layer(3, width, 9), Layer(width, 2 * width, 3, stride=2)
        self.conv3 = Layer(2 * width, 4 * width, 3, stride=2)
        for index, of in enumerate(channels, 1):
            setattr(self, f"in{index}", nn.InstanceNorm2d(of, affine=True))
        self.residuals = [f"res{block}" for block in range(1, blocks + 1)]
        for name in self.residuals:
            setattr(self, name, Residual(4 * width))
        self.deconv1, self.deconv2 = Layer(4 * width, 2 * width, 3, enlarge=2), Layer(2 * width, width, 3, enlarge=2)
        self.deconv3 = Layer(width, 3, 9)

    def forward(self, x):
        for conv, norm in [("conv1", "in1"), ("conv2", "in2"), ("conv3", "in3")]:
            x = torch.relu(getattr(self, norm)(getattr(self, conv)(x)))
        for name in self.residuals:
            x = getattr(self, name)(x)
        for conv, norm in [("deconv1", "in4"), ("deconv2", "in5")]:
            x = torch.relu(getattr(self, norm)(getattr(self, conv)(x)))
        return self.deconv3(x)


class Block(nn.Module):
    """A residual block of the ResNet generator."""

    def __init__(self, channels, norm, dropout):
        super().__init__()

        def half():
            has_bias = norm is not nn.BatchNorm2d
            return [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=has_bias), norm(channels)]

        self.conv_block = nn.Sequential(*half(), nn.ReLU(), *[nn.Dropout(0.5)] * dropout, *half())

    def forward(self, x):
        return x + self.conv_block(x)


class Level(nn.Module):
    """A level of the U-Net generator around the level `inside`."""

    def __init__(self, outer, inner, norm, inside=None):
        super().__init__()
        has_bias = norm is not nn.BatchNorm2d
        between = [norm(inner), inside] if inside else []
        self.model = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(outer, inner, 4, 2, 1, bias=has_bias), *between,
            nn.ReLU(), nn.ConvTranspose2d(inner * (2 if inside else 1), outer, 4, 2, 1, bias=has_bias), norm(outer))

    def forward(self, x):
        # The first operation has changed x.
        result = self.model(x)
        return torch.cat([x, result], 1)


def within(name, network):
    return nn.Sequential(OrderedDict({name: network}))


def resnet(width, blocks, norm=nn.InstanceNorm2d, dropout=False):
    has_bias = norm is not nn.BatchNorm2d

    def layer(conv, inputs, outputs, *arguments):
        return [conv(inputs, outputs, *arguments, bias=has_bias), norm(outputs), nn.ReLU()]

    return within("model", nn.Sequential(
        nn.ReflectionPad2d(3), *layer(nn.Conv2d, 3, width, 7),
        *layer(nn.Conv2d, width, 2 * width, 3, 2, 1), *layer(nn.Conv2d, 2 * width, 4 * width, 3, 2, 1),
        *[Block(4 * width, norm, dropout) for _ in range(blocks)],
        *layer(nn.ConvTranspose2d, 4 * width, 2 * width, 3, 2, 1, 1),
        *layer(nn.ConvTranspose2d, 2 * width, width, 3, 2, 1, 1),
        nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()))


def unet(width, levels, norm=nn.InstanceNorm2d):
    inside = None
    for depth in range(levels - 1, 0, -1):
        inside = Level(width * min(2 ** (depth - 1), 8), width * min(2 ** depth, 8), norm, inside)
    return within("model", within("model", nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, bias=norm is not nn.BatchNorm2d), inside,
        nn.ReLU(), nn.ConvTranspose2d(2 * width, 3, 4, 2, 1), nn.Tanh())))


GENERATORS = {
    "resnet-9.pth": lambda: resnet(6, 9),
    "resnet-6.pth": lambda: resnet(4, 6, nn.BatchNorm2d, dropout=True),
    "resnet-old.pth": lambda: resnet(4, 6),
    "resnet-affine.pth": lambda: resnet(4, 6, lambda channels: nn.InstanceNorm2d(channels, affine=True)),
    "unet-128.pth": lambda: unet(4, 7, nn.BatchNorm2d),
    "unet-256.pth": lambda: unet(2, 8),
}


def seeded(build):
    """A network with weights whose result covers its range."""
    torch.manual_seed(3)
    network = build()
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, (nn.InstanceNorm2d, nn.BatchNorm2d)) and layer.affine:
                layer.weight += 0.3 * torch.randn_like(layer.weight)
                layer.bias += 0.3 * torch.randn_like(layer.bias)
        if isinstance(network, FastNeuralStyle):
            network.deconv3.conv2d.weight *= 60
            network.deconv3.conv2d.bias += 128
        layers = list(network.modules())
        if isinstance(layers[-1], nn.Tanh):
            layers[-2].weight *= 4
        if any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()):
            # Batch normalization collects statistics.
            for _ in range(8):
                network(2 * torch.rand(2, 3, 128, 128) - 1)
    return network.eval()


class Picture(nn.Module):
    """A network for pictures of any size, which knows their channels apart."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        return torch.sigmoid(4 * self.second(torch.relu(self.first(x))))


class Double(nn.Module):
    def forward(self, x):
        return nn.functional.interpolate(1 - x, scale_factor=2.0)


class Particular(nn.Module):
    """Changes its input, and takes only whole multiples of 32."""

    def forward(self, x):
        x.mul_(0.5)
        if x.size(2) % 32 + x.size(3) % 32 > 0:
            raise ValueError("other sizes are not taken")
        return x


class Failing(nn.Module):
    def forward(self, x):
        if x.size(0) > 0:
            raise ValueError("no picture is good enough")
        return x


class Contrast(nn.Module):
    def forward(self, x):
        return (x - x.mean()) / x.std()


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Gray(nn.Module):
    def forward(self, x):
        return x.mean(1, keepdim=True)


class Writer(nn.Module):
    """Writes a file when it is loaded."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self):
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]):
        self.path, self.training = state
        torch.ops.aten.save(torch.zeros(1), self.path)

    def forward(self, x):
        return x


def make(folder):
    def of_example(*arguments):
        return seeded(lambda: FastNeuralStyle(*arguments)).state_dict()

    first = {name.replace("weight", "scale").replace("bias", "shift") if "in" in name.split(".")[-2][:2] else name: values
             for name, values in of_example(6).items()}
    torch.save(of_example(8), f"{folder}/new.pth")
    torch.save(of_example(4, 2), f"{folder}/legacy.model", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 2, "state_dict": {f"module.{name}": values for name, values in of_example(8).items()}},
               f"{folder}/wrapped.pth")
    torch.save(first | {"in1.running_mean": torch.zeros(6)}, f"{folder}/first.model")

    for name, build in GENERATORS.items():
        tensors = seeded(build).state_dict()
        if name == "resnet-old.pth":
            tensors |= {"model.2.running_mean": torch.ones(4), "model.2.running_var": 9 * torch.ones(4)}
        torch.save(tensors, f"{folder}/{name}")

    scripts = {"picture": Picture, "double": Double, "particular": Particular, "contrast": Contrast, "pair": Pair,
               "gray": Gray, "failing": Failing, "writer": lambda: Writer(f"{folder}/written"),
               "resnet": lambda: resnet(4, 6)}
    for name, build in scripts.items():
        torch.jit.save(torch.jit.script(seeded(build)), f"{folder}/{name}.pt")
    torch.jit.save(torch.jit.freeze(torch.jit.script(seeded(Picture))), f"{folder}/frozen.pt")
    traced = torch.jit.trace(seeded(lambda: unet(4, 5)), torch.zeros(1, 3, 64, 64))
    torch.jit.save(traced, f"{folder}/unet.pt")


def load(model):
    name = os.path.basename(model)
    if name.endswith(".pt"):
        return torch.jit.load(model).eval()
    tensors = torch.load(model, map_location="cpu")
    if name in GENERATORS:
        network = GENERATORS[name]()
        tensors = {name: values for name, values in tensors.items() if name in network.state_dict()}
    else:
        tensors = tensors.get("state_dict", tensors)
        tensors = {name.replace("module.", "").replace("scale", "weight").replace("shift", "bias"): values
                   for name, values in tensors.items() if "running" not in name}
        blocks = len({name.split(".")[0] for name in tensors if name.startswith("res")})
        network = FastNeuralStyle(tensors["conv1.conv2d.weight"].shape[0], blocks)
    network.load_state_dict(tensors)
    return network.eval()


def paint(model, input, height, width, extended_height, extended_width, picture, result):
    low, high, is_reversed = INPUTS[input]
    height, width, *extended = map(int, (height, width, extended_height, extended_width))
    order = [2, 1, 0] if is_reversed else [0, 1, 2]
    picture = torch.from_numpy(numpy.fromfile(picture, numpy.float32).reshape(1, 3, height, width))
    edges = (0, extended[1] - width, 0, extended[0] - height)
    picture = nn.functional.pad(picture[:, order] * (high - low) + low, edges, mode="replicate")
    with torch.no_grad():
        painted = load(model)(picture)[:, order, :height, :width]
    ((painted - low) / (high - low)).clamp(0, 1).numpy().tofile(result)


def times(model, height, width, count):
    network, picture = load(model), torch.rand(1, 3, int(height), int(width)) * 255
    passes = []
    with torch.no_grad():
        network(picture)
        for _ in range(int(count)):
            begin = time.perf_counter()
            network(picture)
            passes.append((time.perf_counter() - begin) * 1000)
    print(json.dumps(passes))


if sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "time":
    times(*sys.argv[2:])
else:
    for start in range(2, len(sys.argv), 8):
        paint(*sys.argv[start : start + 8])
