"""The networks of PyTorch's example fast_neural_style, in PyTorch.

python models.py make FOLDER                            writes networks with seeded weights in each form of file
python models.py paint MODEL HEIGHT WIDTH PICTURE RESULT    paints a raw picture of f32, (3, H, W) in 0..1
"""

import os
import sys

import numpy

os.environ["OMP_WAIT_POLICY"] = "passive"
import torch
from torch import nn


class Layer(nn.Module):
    """The example's ConvLayer, and its UpsampleConvLayer."""

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


class Network(nn.Module):
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


def seeded(width, blocks=5):
    torch.manual_seed(3)
    network = Network(width, blocks)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if ".in" in name or name.startswith("in"):
                values += 0.3 * torch.randn_like(values)
        # The result must cover 0..255.
        network.deconv3.conv2d.weight *= 60
        network.deconv3.conv2d.bias += 128
    return network.state_dict()


def make(folder):
    first = {name.replace("weight", "scale").replace("bias", "shift") if "in" in name.split(".")[-2][:2] else name: values
             for name, values in seeded(6).items()}
    torch.save(seeded(8), f"{folder}/new.pth")
    torch.save(seeded(4, 2), f"{folder}/legacy.model", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 2, "state_dict": {f"module.{name}": values for name, values in seeded(8).items()}},
               f"{folder}/wrapped.pth")
    torch.save(first | {"in1.running_mean": torch.zeros(6)}, f"{folder}/first.model")


def paint(model, height, width, picture, result):
    tensors = torch.load(model, map_location="cpu")
    tensors = tensors.get("state_dict", tensors)
    tensors = {name.replace("module.", "").replace("scale", "weight").replace("shift", "bias"): values
               for name, values in tensors.items() if "running" not in name}
    blocks = len({name.split(".")[0] for name in tensors if name.startswith("res")})
    network = Network(tensors["conv1.conv2d.weight"].shape[0], blocks)
    network.load_state_dict(tensors)
    height, width = int(height), int(width)
    picture = torch.from_numpy(numpy.fromfile(picture, numpy.float32).reshape(1, 3, height, width))
    with torch.no_grad():
        painted = network(255 * picture).clamp(0, 255) / 255
    painted[:, :, :height, :width].numpy().tofile(result)


{"make": make, "paint": paint}[sys.argv[1]](*sys.argv[2:])
