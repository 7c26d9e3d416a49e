"""Corruptions of pictures, sounds, series, vectors and points, as they occur in use, at severities 1 to 5.

They are applied to decoded cells: cell -> ``Modality.parsed`` -> corruption -> ``Modality.sample_of`` -> sample. A corruption samples the
same random numbers at every severity, so that whatever is lost at one severity is also lost at the next. Corruptions of text are in
``text_corruption.py``, those of columns in ``column_corruption.py``.

Shapes: ``T`` steps or pictures of a cell, ``C`` channels, ``H`` rows, ``W`` columns, ``N`` points or samples of a sound, ``K`` positions of
a vector.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

SEVERITIES = (1, 2, 3, 4, 5)
Corruption = Callable[[Any, int, np.random.Generator], Any]
"""A function from the decoded content of a cell, a severity and a random generator to corrupted content. It does not modify its argument.
None = nothing is left, and the field is missing."""
_QUALITY = (40, 25, 15, 10, 5)  # the quality of a JPEG, by severity
_PARTS = 20  # the approximate number of parts of a sound or a series, each of which is lost as a whole
_DROP_OUT = 0.05  # the maximum length of such a part of a sound in seconds


def generator(seed: int, field: str, name: str, content: Any) -> np.random.Generator:
    """Return a random generator that depends on the content of a cell, but not on its row or its table.

    :param seed: a seed
    :param field: the name of the field
    :param name: the name of the corruption
    :param content: the decoded content of the cell
    """
    digest = blake2b(digest_size=16)
    _feed(digest, (seed, field, name, content))
    return np.random.default_rng(int.from_bytes(digest.digest(), "little"))


def _feed(digest: Any, value: Any) -> None:
    """Add a value, and the values that it contains, to a digest."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (bytes, bytearray)):
        digest.update(b"%d:" % len(value) + value)
    elif isinstance(value, (list, tuple, np.ndarray)):
        digest.update(b"%d[" % len(value))
        for part in value:
            _feed(digest, part)
    else:
        text = repr(value).encode("utf-8", "backslashreplace")
        digest.update(b"%d=" % len(text) + text)


# -- pictures ------------------------------------------------------------------------------------------------------------


def of_pictures(channels: int, mean: Sequence[float]) -> dict[str, Corruption]:
    """Return the corruptions of pixels uint8 (..., C, H, W); several pictures are corrupted in the same way.

    :param channels: the number of channels; "jpeg" is available for 1 and 3
    :param mean: the mean of each channel, which is the colour of occlusions
    """
    color_C11 = np.clip(np.round(mean), 0, 255).astype(np.uint8).reshape(-1, 1, 1)

    def occlusion(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Cover 8 to 40 % of the picture with its mean colour."""
        return _covered(pixels, severity, rng, color_C11)

    corruptions: dict[str, Corruption] = {"blur": _blurred, "noise": _noisy, "dark": _dark, "occlusion": occlusion}
    return corruptions | {"jpeg": _compressed} if channels in (1, 3) else corruptions


def _blurred(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Apply a Gaussian blur with a radius of 0.4 to 1.2 pixels to a picture whose shorter side is 32 pixels; the radius is proportional
    to it if it is longer."""
    radius = (0.2 + 0.2 * severity) * max(min(pixels.shape[-2:]), 32) / 32
    bands = pixels.reshape(-1, *pixels.shape[-2:])
    blur = ImageFilter.GaussianBlur(radius)
    return np.stack([np.asarray(Pillow.fromarray(np.ascontiguousarray(band)).filter(blur)) for band in bands]).reshape(pixels.shape)


def _noisy(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise with a standard deviation of 12 to 60 grey levels."""
    noisy: np.ndarray = np.clip(pixels + rng.normal(0, 1, pixels.shape) * 12 * severity, 0, 255).astype(np.uint8)
    return noisy


def _dark(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Reduce the brightness to 84 to 20 %."""
    return np.round(pixels * (1 - 0.16 * severity)).astype(np.uint8)


def _covered(pixels: np.ndarray, severity: int, rng: np.random.Generator, color_C11: np.ndarray) -> np.ndarray:
    """Cover 8 to 40 % of the picture with a rectangle of its aspect ratio, at the same place of all pictures."""
    height, width = pixels.shape[-2:]
    share, (down, across) = math.sqrt(0.08 * severity), rng.random(2)
    tall, wide = math.ceil(share * height), math.ceil(share * width)
    top, left = math.floor(down * (height - tall)), math.floor(across * (width - wide))
    covered = pixels.copy()
    covered[..., top : top + tall, left : left + wide] = color_C11
    return covered


def _compressed(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Compress the picture as a JPEG of quality 40 to 5."""
    pictures = pixels.reshape(-1, *pixels.shape[-3:])
    decoded = []
    for picture in pictures:
        file = io.BytesIO()
        grey = len(picture) == 1
        Pillow.fromarray(np.ascontiguousarray(picture[0] if grey else picture.transpose(1, 2, 0))).save(
            file, "JPEG", quality=_QUALITY[severity - 1]
        )
        result = np.asarray(Pillow.open(file, formats=("JPEG",)))
        decoded.append(result[None] if grey else result.transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(decoded)).reshape(pixels.shape)


# -- sounds --------------------------------------------------------------------------------------------------------------


def of_sounds(rate: int) -> dict[str, Corruption]:
    """Return the corruptions of sounds float64 (N,).

    :param rate: the sampling rate in Hz
    """

    def dropouts(sound_N: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Silence 10 to 50 % of the sound, in parts of at most 50 ms."""
        lost_N = _lost(len(sound_N), severity, rng, at_most=max(1, round(_DROP_OUT * rate)))
        return np.where(lost_N, 0.0, sound_N)

    return {"noise": _hissing, "clipping": _clipped, "dropouts": dropouts}


def _hissing(sound_N: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Add white noise with a power of 20 to 0 dB below that of the sound."""
    power = float(np.square(sound_N).mean())
    noisy_N: np.ndarray = sound_N + rng.normal(0, 1, len(sound_N)) * math.sqrt(power * 10 ** (-(25 - 5 * severity) / 10))
    return noisy_N


def _clipped(sound_N: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Amplify the sound by 6 to 30 dB, and clip it to its original maximum."""
    largest = float(np.abs(sound_N).max())
    clipped_N: np.ndarray = np.clip(sound_N * 10 ** (6 * severity / 20), -largest, largest)
    return clipped_N


def _lost(length: int, severity: int, rng: np.random.Generator, at_most: int | None = None) -> np.ndarray:
    """Return a mask bool (length,) in which 10 to 50 % of the parts are True, each as a whole."""
    size = max(1, min(length // _PARTS, at_most or length))
    lost = rng.random(-(-length // size)) < 0.1 * severity
    return np.repeat(lost, size)[:length]


# -- series --------------------------------------------------------------------------------------------------------------


def of_series(mean: Sequence[float], std: Sequence[float]) -> dict[str, Corruption]:
    """Return the corruptions of series float64 (T, C) as they were measured.

    :param mean: the mean of each channel in training
    :param std: the standard deviation of each channel in training
    """
    mean_C, std_C = np.array(mean), np.array(std)

    def noise(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Add Gaussian noise of 0.2 to 1 standard deviations of each channel."""
        noisy_TC: np.ndarray = series_TC + rng.normal(0, 1, series_TC.shape) * 0.2 * severity * std_C
        return noisy_TC

    def gaps(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """Remove 10 to 50 % of the steps."""
        left_TC = np.where(_lost(len(series_TC), severity, rng)[:, None], np.nan, series_TC)
        return None if np.isnan(left_TC).all() else left_TC

    def drift(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Add a linear trend to each channel that rises or falls by 0.4 to 2 standard deviations."""
        end_C = rng.choice([-1.0, 1.0], series_TC.shape[1]) * 0.4 * severity * std_C
        drifted_TC: np.ndarray = series_TC + np.linspace(0, 1, len(series_TC) + 1)[1:, None] * end_C
        return drifted_TC

    def scale(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Multiply or divide the differences from the training mean by 1.2 to 2."""
        factor_C = (1 + 0.2 * severity) ** rng.choice([-1.0, 1.0], series_TC.shape[1])
        scaled_TC: np.ndarray = mean_C + (series_TC - mean_C) * factor_C
        return scaled_TC

    def fitting(change: Corruption) -> Corruption:
        """Return series with another number of channels unchanged; ``sample_of`` refuses them."""
        return lambda series, severity, rng: change(series, severity, rng) if series.shape[1] == len(mean_C) else series

    return {name: fitting(change) for name, change in (("noise", noise), ("gaps", gaps), ("drift", drift), ("scale", scale))}


# -- vectors -------------------------------------------------------------------------------------------------------------


def of_vectors(mean: Sequence[float], std: Sequence[float]) -> dict[str, Corruption]:
    """Return the corruptions of vectors float64 (K,).

    :param mean: the mean of each position in training
    :param std: the standard deviation of each position in training
    """
    mean_K, std_K = np.array(mean), np.array(std)

    def noise(vector_K: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Add Gaussian noise of 0.2 to 1 standard deviations of each position."""
        noisy_K: np.ndarray = vector_K + rng.normal(0, 1, len(vector_K)) * 0.2 * severity * std_K
        return noisy_K

    def dropped(vector_K: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """Remove 10 to 50 % of the numbers."""
        left_K = np.where(rng.random(len(vector_K)) < 0.1 * severity, np.nan, vector_K)
        return None if np.isnan(left_K).all() else left_K

    def scale(vector_K: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Multiply or divide the differences from the training mean by 1.2 to 2."""
        scaled_K: np.ndarray = mean_K + (vector_K - mean_K) * (1 + 0.2 * severity) ** rng.choice([-1.0, 1.0])
        return scaled_K

    def fitting(change: Corruption) -> Corruption:
        """Return vectors of another length unchanged; ``sample_of`` refuses them."""
        return lambda vector, severity, rng: change(vector, severity, rng) if len(vector) == len(mean_K) else vector

    return {name: fitting(change) for name, change in (("noise", noise), ("dropped", dropped), ("scale", scale))}


# -- points --------------------------------------------------------------------------------------------------------------


def of_points(mean: Sequence[float], std: Sequence[float]) -> dict[str, Corruption]:
    """Return the corruptions of point clouds float64 (N, C), whose first channels are x, y and z.

    :param mean: the mean of each channel in training
    :param std: the standard deviation of each channel in training
    """
    mean_C, std_C = np.array(mean), np.array(std)
    axes = min(3, len(std_C))

    def jitter(cloud_NC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Add Gaussian noise of 0.05 to 0.25 standard deviations to the coordinates; other channels are unchanged."""
        moved_NC = cloud_NC.copy()
        moved_NC[:, :axes] += rng.normal(0, 1, (len(cloud_NC), axes)) * 0.05 * severity * std_C[:axes]
        return moved_NC

    def thinned(cloud_NC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """Remove 15 to 75 % of the points."""
        return _some(cloud_NC, rng.random(len(cloud_NC)) >= 0.15 * severity)

    def sector(cloud_NC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """Remove the points in a sector of 36 to 180 degrees about the vertical axis through the training mean."""
        x_N = cloud_NC[:, 0] - mean_C[0]
        y_N = cloud_NC[:, 1] - mean_C[1] if axes > 1 else np.zeros(len(cloud_NC))
        away_N = np.abs((np.arctan2(y_N, x_N) - rng.uniform(0, 2 * math.pi) + math.pi) % (2 * math.pi) - math.pi)
        return _some(cloud_NC, away_N >= 0.1 * severity * math.pi)

    def fitting(change: Corruption) -> Corruption:
        """Return clouds with another number of channels unchanged; ``sample_of`` refuses them."""
        return lambda cloud, severity, rng: change(cloud, severity, rng) if cloud.shape[1] == len(mean_C) else cloud

    return {name: fitting(change) for name, change in (("jitter", jitter), ("thinned", thinned), ("sector", sector))}


def _some(cloud_NC: np.ndarray, keep_N: np.ndarray) -> np.ndarray | None:
    """Return the points to keep; None if there are none."""
    return cloud_NC[keep_N] if keep_N.any() else None


def each(corruptions: Mapping[str, Corruption]) -> dict[str, Corruption]:
    """Return the corruptions of lists of arrays: each array is corrupted by itself, and items that could not be read are kept."""

    def of_all(change: Corruption) -> Corruption:
        return lambda items, severity, rng: [
            change(item, severity, rng) if isinstance(item, np.ndarray) else item for item in items
        ]  # fmt: skip

    return {name: of_all(change) for name, change in corruptions.items()}
