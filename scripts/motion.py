"""The optical flow of films, and how much a film differs from itself moved along the flow; for the benchmarks."""

from typing import NamedTuple

import cv2
import numpy as np


class Flow(NamedTuple):
    """Arrays (frames - 1, height, width, 2): `there`, from each frame but the first to the previous one; `back`, from
    the previous frame to it. `visible`: whether a pixel was visible in the previous frame."""

    there: np.ndarray
    back: np.ndarray
    visible: np.ndarray


def grid(height: int, width: int) -> np.ndarray:
    """The position of each pixel, (height, width, 2)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def sampled(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    return cv2.remap(values, grid(*flow.shape[:2]) + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def inside(flow: np.ndarray) -> np.ndarray:
    height, width = flow.shape[:2]
    target = grid(height, width) + flow
    return ((target >= 0) & (target <= [width - 1, height - 1])).all(-1)


def is_visible(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """The check of Ruder et al. (2016), section 5.1: both flows are consistent, and there is no edge of the motion."""
    returned = sampled(back, there)
    length, returning = (there**2).sum(-1), (returned**2).sum(-1)
    consistent = ((there + returned) ** 2).sum(-1) < 0.01 * (length + returning) + 0.5
    steepness = sum((np.gradient(there[..., part])[axis]) ** 2 for part in range(2) for axis in range(2))
    return consistent & (steepness <= 0.01 * length + 0.002) & inside(there)


def checked(there: np.ndarray, back: np.ndarray) -> Flow:
    return Flow(there, back, np.stack([is_visible(*pair) for pair in zip(there, back)]))


def estimated(film: np.ndarray) -> Flow:
    """OpenCV's flow (DIS)."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in film]
    there = np.stack([dis.calc(new, old, None) for old, new in zip(gray, gray[1:])])
    back = np.stack([dis.calc(old, new, None) for old, new in zip(gray, gray[1:])])
    return checked(there, back)


def e_warp(film: np.ndarray, flow: Flow) -> float:
    """The mean square difference (samples in 0..1; bytes, too) to the previous frame, warped by the flow, over visible
    pixels."""
    scale = np.float32(1 / 255 if film.dtype == np.uint8 else 1)
    errors = []
    for old, new, there, visible in zip(film, film[1:], flow.there, flow.visible):
        difference = sampled(old.astype(np.float32), there) - new.astype(np.float32)
        errors.append(((scale * difference) ** 2)[visible].mean())
    return float(np.mean(errors))
