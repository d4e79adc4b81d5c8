"""PyTorch's part of scripts/bench_style.py, in a Python with torch. Prints JSON:

    bench_style_peer.py devices
    bench_style_peer.py rates DEVICE
    bench_style_peer.py work WEIGHTS WIDTH HEIGHT
    bench_style_peer.py seed FILE
    bench_style_peer.py steps DEVICE WEIGHTS WIDTH HEIGHT STEPS REPEATS tutorial|frozen
"""

import json
import struct
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

# The block and number of convolutions, by torchvision's index.
PLACES = {0: (1, 1), 2: (1, 2), 5: (2, 1), 7: (2, 2), 10: (3, 1), 12: (3, 2), 14: (3, 3), 16: (3, 4), 19: (4, 1)}
PLACES |= {21: (4, 2), 23: (4, 3), 25: (4, 4), 28: (5, 1)}
VGG11 = {0: (1, 1), 3: (2, 1), 6: (3, 1), 8: (3, 2), 11: (4, 1)}
# The layers of recipe=video.
STYLE = [(1, 1), (2, 1), (3, 1)]
CONTENT = (3, 1)
CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}


def read(path: Path) -> list[tuple[tuple[int, int], torch.Tensor, torch.Tensor]]:
    """The convolutions of a .safetensors file that recipe=video uses, in order."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])

    def tensor(name: str) -> torch.Tensor:
        begin, end = (8 + length + offset for offset in header[name]["data_offsets"])
        return torch.frombuffer(bytearray(raw[begin:end]), dtype=torch.float32).view(header[name]["shape"])

    indices = sorted(int(name.split(".")[1]) for name in header if name.endswith(".weight"))
    places = PLACES if 2 in indices else VGG11
    used = [i for i in indices if i in places and places[i] <= CONTENT]
    return [(places[i], tensor(f"features.{i}.weight"), tensor(f"features.{i}.bias")) for i in used]


def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    header, at = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + 4 * tensor.numel()]}
        at += 4 * tensor.numel()
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.contiguous().numpy().tobytes())


def seeded() -> dict[str, torch.Tensor]:
    """VGG19 in full width to conv5_1, with random weights, which have the same speed as trained ones."""
    torch.manual_seed(1)
    tensors, channels = {}, 3
    for index, (block, _) in PLACES.items():
        out = CHANNELS[block]
        tensors[f"features.{index}.weight"] = torch.randn(out, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
        tensors[f"features.{index}.bias"] = torch.zeros(out)
        channels = out
    return tensors


def gram_matrix(features: torch.Tensor) -> torch.Tensor:
    n, channels, height, width = features.size()
    flat = features.view(n * channels, height * width)
    return torch.mm(flat, flat.t()).div(n * channels * height * width)


class StyleLoss(nn.Module):
    def __init__(self, features: torch.Tensor) -> None:
        super().__init__()
        self.target = gram_matrix(features).detach()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        self.loss = functional.mse_loss(gram_matrix(features), self.target)
        return features


class ContentLoss(nn.Module):
    def __init__(self, features: torch.Tensor) -> None:
        super().__init__()
        self.target = features.detach()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        self.loss = functional.mse_loss(features, self.target)
        return features


class Normalization(nn.Module):
    def __init__(self, device: str) -> None:
        super().__init__()
        self.mean = torch.tensor([0.485, 0.456, 0.406], device=device).view(-1, 1, 1)
        self.std = torch.tensor([0.229, 0.224, 0.225], device=device).view(-1, 1, 1)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return (picture - self.mean) / self.std


def model(path: Path, device: str, content: torch.Tensor, style: torch.Tensor) -> tuple[nn.Sequential, list, list]:
    """The network with loss modules at the layers of recipe=video, built as in the tutorial."""
    convs = read(path)
    last = convs[-1][0]
    with_style = [place for place in STYLE if place in [place for place, _, _ in convs]]
    with_content = CONTENT if CONTENT in [place for place, _, _ in convs] else last
    network, styles, contents = nn.Sequential(Normalization(device)), [], []
    block = 1
    for place, weight, bias in convs:
        if place[0] != block:
            network.append(nn.MaxPool2d(2, 2))
            block = place[0]
        conv = nn.Conv2d(weight.size(1), weight.size(0), 3, padding=1, device=device)
        conv.weight.data.copy_(weight)
        conv.bias.data.copy_(bias)
        network.append(conv)
        network.append(nn.ReLU(inplace=False))
        if place in with_style:
            styles.append(StyleLoss(network(style).detach()))
            network.append(styles[-1])
        if place == with_content:
            contents.append(ContentLoss(network(content).detach()))
            network.append(contents[-1])
    return network.eval(), styles, contents


def steps(device: str, path: Path, width: int, height: int, count: int, repeats: int, frozen: bool) -> dict:
    """Milliseconds per evaluation in the tutorial's loop."""
    generator = torch.Generator().manual_seed(1)

    def picture() -> torch.Tensor:
        noise = torch.rand(1, 3, height // 8, width // 8, generator=generator)
        return functional.interpolate(noise, (height, width), mode="bilinear").to(device)

    content, style = picture(), picture()
    network, styles, contents = model(path, device, content, style)
    network.requires_grad_(not frozen)
    image = content.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([image])
    taken = 0

    def closure() -> torch.Tensor:
        nonlocal taken
        taken += 1
        with torch.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        network(image)
        loss = 1e6 * sum(module.loss for module in styles) + sum(module.loss for module in contents)
        loss.backward()
        return loss

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize()

    optimizer.param_groups[0].update(max_iter=count, max_eval=count)
    optimizer.step(closure)
    times = []
    for _ in range(repeats):
        wait()
        begin, taken = time.perf_counter(), 0
        while taken < count:
            optimizer.step(closure)
        wait()
        times.append((time.perf_counter() - begin) / taken * 1e3)
    return {"ms": times}


def work(path: Path, width: int, height: int) -> dict:
    """The minimum work of a step: the operations of convolutions, forward and backward, and of Gram matrices; and the
    number of values that convolutions read and write."""
    convs = read(path)
    flop = values = 0
    block = 1
    for place, weight, _ in convs:
        if place[0] != block:
            width, height, block = width // 2, height // 2, place[0]
        out, channels = weight.shape[:2]
        flop += 2 * 2 * 9 * out * channels * width * height
        values += 2 * (out + channels) * width * height
        if place in STYLE:
            flop += 2 * 2 * out * out * width * height
    return {"flop": flop, "values": values}


def rates(device: str) -> dict:
    """The best of several measurements: operations per second of matrix products, bytes per second of a copy."""
    size = 2048 if device == "cpu" else 8192
    rates = {"name": "the CPU" if device == "cpu" else torch.cuda.get_device_name(device)}

    def best(task, amount: float) -> float:
        times = []
        for _ in range(6):
            begin = time.perf_counter()
            for _ in range(4):
                task()
            if device != "cpu":
                torch.cuda.synchronize()
            times.append((time.perf_counter() - begin) / 4)
        return amount / min(times[1:])

    for name, kind in [("f32", torch.float32), ("bf16", torch.bfloat16)]:
        a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
        rates[name] = best(lambda: a @ b, 2 * size**3)
    source = torch.zeros(2**26, device=device)
    target = torch.empty_like(source)
    rates["bytes"] = best(lambda: target.copy_(source), 8 * source.numel())
    return rates


def main() -> None:
    what, *arguments = sys.argv[1:]
    match what, arguments:
        case "devices", []:
            answer = {"devices": ["cpu"] + (["cuda:0"] if torch.cuda.is_available() else [])}
        case "rates", [device]:
            answer = rates(device)
        case "work", [path, width, height]:
            answer = work(Path(path), int(width), int(height))
        case "seed", [path]:
            write(Path(path), seeded())
            answer = {}
        case "steps", [device, path, width, height, count, repeats, which]:
            numbers = (int(width), int(height), int(count), int(repeats))
            answer = steps(device, Path(path), *numbers, which == "frozen")
        case _:
            raise SystemExit(__doc__)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
