"""Writes weight files with PyTorch: python3 checkpoints.py FOLDER

Reads base.npz and picture.raw (1 x 3 x 24 x 32) in FOLDER. Writes the same weights in each form that torch supports;
hostile-*.pth, which would create FOLDER/ran if their code were run; and, as raw f32, the features of networks with
batch normalization and with Caffe's input.
"""

import collections
import os
import pickle
import struct
import sys

import numpy as np
import torch

folder = sys.argv[1]
path = lambda name: os.path.join(folder, name)
base = {name: torch.from_numpy(values) for name, values in np.load(path("base.npz")).items()}
indices = sorted(int(name.split(".")[1]) for name in base if name.endswith(".weight"))
picture = torch.from_numpy(np.fromfile(path("picture.raw"), np.float32).reshape(1, 3, 24, 32))


class Features(torch.nn.Module):
    """The base network with torchvision's layers and a classifier, with batch normalization or without."""

    def __init__(self, norm=False):
        super().__init__()
        layers = []
        for before, index in zip([-2] + indices, indices):
            if index - before == 3:
                layers.append(torch.nn.MaxPool2d(2))
            weight = base[f"features.{index}.weight"]
            conv = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            conv.load_state_dict({"weight": weight, "bias": base[f"features.{index}.bias"]})
            layers += [conv, torch.nn.BatchNorm2d(weight.shape[0]), torch.nn.ReLU()] if norm else [conv, torch.nn.ReLU()]
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))

    def forward(self, x):
        return self.features(x)


def save(name, saved, zipped=True, **options):
    torch.save(saved, path(name), _use_new_zipfile_serialization=zipped, **options)


def state_dicts():
    network = Features()
    parameters = collections.OrderedDict(network.named_parameters())
    for form, zipped in (("zip", True), ("legacy", False)):
        save(f"{form}.pth", network.state_dict(), zipped)
        save(f"{form}-parameters.pth", parameters, zipped)
        save(f"{form}-protocol4.pth", network.state_dict(), zipped, pickle_protocol=4)
        save(f"{form}-protocol5.pth", network.state_dict(), zipped, pickle_protocol=5)
        save(f"{form}-half.pth", {name: tensor.half() for name, tensor in base.items()}, zipped)
        save(f"{form}-bfloat16.pth", {name: tensor.bfloat16() for name, tensor in base.items()}, zipped)
        save(f"{form}-double.pth", {name: tensor.double() for name, tensor in base.items()}, zipped)
        save(f"{form}-views.pth", views(), zipped)
        save(f"{form}-prefix.pth", {f"module.vgg.{name}": tensor for name, tensor in base.items()}, zipped)
        save(f"{form}-bare.pth", network.features.state_dict(), zipped)
        save(f"{form}-training.pth", training(Features()), zipped)


def views():
    """Each tensor as a view, with an offset and permuted strides, of one storage that all tensors share."""
    shared = torch.full((2 * sum(tensor.numel() for tensor in base.values()) + 100,), 7.0)
    start, tensors = 5, {}
    for name, tensor in base.items():
        transposed = tensor.permute(*reversed(range(tensor.dim())))
        strides = [2 * stride for stride in reversed(transposed.contiguous().stride())]
        tensors[name] = torch.as_strided(shared, tensor.shape, strides, start)
        tensors[name].copy_(tensor)
        start += 2 * tensor.numel()
    return tensors


def training(network):
    optimizer = torch.optim.Adam(network.parameters())
    sum(parameter.sum() for parameter in network.parameters()).backward()
    saved = {f"module.{name}": value.clone() for name, value in network.state_dict().items()}
    optimizer.step()
    return {"epoch": 3, "best": 0.25, "done": False, "name": "café", "losses": [1.5, 2**70, -3, None],
            "state_dict": saved, "optimizer": optimizer.state_dict()}


def script():
    torch.jit.save(torch.jit.script(Features()), path("script.pt"))


def python2():
    """The form in which torch 0.1 saved parameters under Python 2: text is bytes, an ordered dict a list of lists."""
    text = lambda value: b"U" + bytes([len(value)]) + value.encode()
    integer = lambda value: b"J" + struct.pack("<i", value)
    integers = lambda values: b"(" + b"".join(map(integer, values)) + b"t"
    pairs, storages = b"", b""
    for key, (name, tensor) in enumerate(base.items()):
        storage = (b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
                   + integer(tensor.numel() + 2) + b"(" + text(f"view{key}") + integer(2) + integer(tensor.numel()) + b"ttQ")
        rebuilt = (b"ctorch._utils\n_rebuild_tensor\n(" + storage + integer(0)
                   + integers(tensor.shape) + integers(tensor.stride()) + b"tR")
        parameter = b"ctorch.nn.parameter\nParameter\n)\x81(" + rebuilt + b"NN\x88\x89tb"
        pairs += b"](" + text(name) + parameter + b"e"
        storages += struct.pack("<q", tensor.numel() + 2) + struct.pack("<2f", 7, 7) + tensor.numpy().tobytes()
    with open(path("python2.pth"), "wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001}):
            pickle.dump(head, file, 2)
        file.write(b"\x80\x02ccollections\nOrderedDict\n](" + pairs + b"e\x85R.")
        pickle.dump([str(key) for key in range(len(base))], file, 2)
        file.write(storages)
    # The file is useful for the test only if torch itself can read it.
    loaded = torch.load(path("python2.pth"))
    assert all(torch.equal(loaded[name], tensor) for name, tensor in base.items())


def batch_norm():
    torch.manual_seed(1)
    network = Features(norm=True)
    for layer in network.features:
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.running_var):
                tensor.uniform_(0.5, 2)
            for tensor in (layer.bias.data, layer.running_mean):
                tensor.uniform_(-0.5, 0.5)
    save("norm.pth", network.state_dict())
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 1, 3, 1, 1)
    record("norm.raw", network.eval().features, (picture - mean) / std)


def gatys():
    """Weights with Gatys's tensor names, for BGR in 0..255 minus the mean."""
    names = {"features.0": "conv1_1", "features.2": "conv1_2", "features.5": "conv2_1"}
    renamed = {f"{names[name.rsplit('.', 1)[0]]}.{name.rsplit('.', 1)[1]}": tensor
               for name, tensor in base.items() if name.rsplit(".", 1)[0] in names}
    renamed["conv1_1.weight"] = renamed["conv1_1.weight"] / 60
    save("gatys.pth", collections.OrderedDict(renamed))
    features = Features().features
    features[0].weight.data /= 60
    bgr = picture.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    record("gatys.raw", features[:2], bgr)


def record(name, layers, x):
    """Writes the output of each ReLU."""
    with torch.no_grad(), open(path(name), "wb") as file:
        for layer in layers:
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                file.write(x.numpy().tobytes())


class Marker:
    def __reduce__(self):
        return os.system, (f"touch {path('ran')}",)


def hostile():
    for form, zipped in (("zip", True), ("legacy", False)):
        save(f"hostile-{form}.pth", {**base, "extra": Marker()}, zipped)


for make in (state_dicts, script, python2, batch_norm, gatys, hostile):
    make()
