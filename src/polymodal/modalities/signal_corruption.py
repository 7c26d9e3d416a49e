"""What goes wrong with cells in use, made on purpose: pictures, sounds, series and points that are worse at severities 1 to 5.

Its place on the line: cell -> ``held`` -> a corruption -> ``sample_of`` -> sample. A corruption draws the same random numbers at every
severity, so that what is lost at one is lost at the next as well. Text is corrupted in ``text_corruption.py``, columns in ``tabular.py``.

Shapes: ``T`` steps or pictures of a cell, ``C`` channels, ``H`` rows, ``W`` columns, ``N`` points or samples of a sound.
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
"""What a cell holds, a severity -> the same, worse, and never the same object changed; None = nothing is left of it."""
_QUALITY = (40, 25, 15, 10, 5)  # of a JPEG, by severity
_PARTS = 20  # of a sound or a series that are lost, each as a whole
_DROP_OUT = 0.05  # seconds of a sound that are lost together, at most


def generator(seed: int, field: str, name: str, held: Any) -> np.random.Generator:
    """Random numbers that depend on what a cell holds, and on nothing of its row or its table."""
    content = blake2b(digest_size=16)
    _feed(content, (seed, field, name, held))
    return np.random.default_rng(int.from_bytes(content.digest(), "little"))


def _feed(content: Any, value: Any) -> None:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        content.update(f"{value.dtype.str}{value.shape}".encode())
        content.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (bytes, bytearray)):
        content.update(b"%d:" % len(value) + value)
    elif isinstance(value, (list, tuple, np.ndarray)):
        content.update(b"%d[" % len(value))
        for part in value:
            _feed(content, part)
    else:
        text = repr(value).encode("utf-8", "backslashreplace")
        content.update(b"%d=" % len(text) + text)


# -- pictures ------------------------------------------------------------------------------------------------------------


def of_pictures(channels: int, mean: Sequence[float]) -> dict[str, Corruption]:
    """Of pixels uint8 (..., C, H, W), several of them alike; ``mean`` colours what is in the way. A JPEG has 1 or 3 channels."""
    color_C11 = np.clip(np.round(mean), 0, 255).astype(np.uint8).reshape(-1, 1, 1)

    def occlusion(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        return _covered(pixels, severity, rng, color_C11)

    found: dict[str, Corruption] = {"blur": _blurred, "noise": _noisy, "dark": _dark, "occlusion": occlusion}
    return found | {"jpeg": _packed} if channels in (1, 3) else found


def _blurred(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian, of 0.4 to 1.2 pixels for a picture of 32, and as much of the side of a larger one."""
    radius = (0.2 + 0.2 * severity) * max(pixels.shape[-1], 32) / 32
    bands = pixels.reshape(-1, *pixels.shape[-2:])
    blur = ImageFilter.GaussianBlur(radius)
    return np.stack([np.asarray(Pillow.fromarray(np.ascontiguousarray(band)).filter(blur)) for band in bands]).reshape(pixels.shape)


def _noisy(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian, of 12 to 60 grey levels."""
    return np.clip(pixels + rng.normal(0, 1, pixels.shape) * 12 * severity, 0, 255).astype(np.uint8)


def _dark(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """84 to 20 % of the light."""
    return np.round(pixels * (1 - 0.16 * severity)).astype(np.uint8)


def _covered(pixels: np.ndarray, severity: int, rng: np.random.Generator, color_C11: np.ndarray) -> np.ndarray:
    """A square over 8 to 40 % of the picture, at the same place of all of them."""
    high, wide = pixels.shape[-2:]
    share, (down, across) = math.sqrt(0.08 * severity), rng.random(2)
    tall, broad = math.ceil(share * high), math.ceil(share * wide)
    top, left = math.floor(down * (high - tall)), math.floor(across * (wide - broad))
    covered = pixels.copy()
    covered[..., top : top + tall, left : left + broad] = color_C11
    return covered


def _packed(pixels: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Through a JPEG of quality 40 to 5."""
    pictures = pixels.reshape(-1, *pixels.shape[-3:])
    packed = []
    for picture in pictures:
        file = io.BytesIO()
        grey = len(picture) == 1
        Pillow.fromarray(np.ascontiguousarray(picture[0] if grey else picture.transpose(1, 2, 0))).save(
            file, "JPEG", quality=_QUALITY[severity - 1]
        )
        again = np.asarray(Pillow.open(file, formats=("JPEG",)))
        packed.append(again[None] if grey else again.transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(packed)).reshape(pixels.shape)


# -- sounds --------------------------------------------------------------------------------------------------------------


def of_sounds(rate: int) -> dict[str, Corruption]:
    """Of float64 (N,), ``rate`` samples a second."""

    def dropouts(sound_N: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """10 to 50 % of the time is silent, 50 ms at a time."""
        lost_N = _lost(len(sound_N), severity, rng, at_most=max(1, round(_DROP_OUT * rate)))
        return np.where(lost_N, 0.0, sound_N)

    return {"noise": _hissing, "clipping": _clipped, "dropouts": dropouts}


def _hissing(sound_N: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """White noise, 20 to 0 dB below the sound."""
    power = float(np.square(sound_N).mean())
    return sound_N + rng.normal(0, 1, len(sound_N)) * math.sqrt(power * 10 ** (-(25 - 5 * severity) / 10))


def _clipped(sound_N: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """6 to 30 dB louder than what the recorder holds, which is the sound's own loudest sample."""
    most = float(np.abs(sound_N).max())
    return np.clip(sound_N * 10 ** (6 * severity / 20), -most, most)


def _lost(length: int, severity: int, rng: np.random.Generator, at_most: int | None = None) -> np.ndarray:
    """bool (length,): 10 to 50 % of its parts, each True as a whole."""
    size = max(1, min(length // _PARTS, at_most or length))
    lost = rng.random(-(-length // size)) < 0.1 * severity
    return np.repeat(lost, size)[:length]


# -- series --------------------------------------------------------------------------------------------------------------


def of_series(mean: Sequence[float], std: Sequence[float]) -> dict[str, Corruption]:
    """Of float64 (T, C), as it was measured; ``mean`` and ``std`` of each channel in training."""
    middle_C, spread_C = np.array(mean), np.array(std)

    def noise(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Of 0.2 to 1 spreads."""
        return series_TC + rng.normal(0, 1, series_TC.shape) * 0.2 * severity * spread_C

    def gaps(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """10 to 50 % of the time is lost."""
        left_TC = np.where(_lost(len(series_TC), severity, rng)[:, None], np.nan, series_TC)
        return None if np.isnan(left_TC).all() else left_TC

    def drift(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Up or down, by 0.4 to 2 spreads at the end."""
        end_C = rng.choice([-1.0, 1.0], series_TC.shape[1]) * 0.4 * severity * spread_C
        return series_TC + np.linspace(0, 1, len(series_TC) + 1)[1:, None] * end_C

    def scale(series_TC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """1.2 to 2 times as far from training's mean, or as many times less."""
        factor_C = (1 + 0.2 * severity) ** rng.choice([-1.0, 1.0], series_TC.shape[1])
        return middle_C + (series_TC - middle_C) * factor_C

    def fitting(change: Corruption) -> Corruption:
        """Series of other channels than training's are left to ``sample_of``, which refuses them."""
        return lambda series, severity, rng: change(series, severity, rng) if series.shape[1] == len(middle_C) else series

    return {name: fitting(change) for name, change in (("noise", noise), ("gaps", gaps), ("drift", drift), ("scale", scale))}


# -- vectors -------------------------------------------------------------------------------------------------------------


def of_vectors(mean: Sequence[float], std: Sequence[float]) -> dict[str, Corruption]:
    """Of float64 (K,); ``mean`` and ``std`` of each place in training."""
    middle_K, spread_K = np.array(mean), np.array(std)

    def noise(vector_K: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Of 0.2 to 1 spreads of each place."""
        return vector_K + rng.normal(0, 1, len(vector_K)) * 0.2 * severity * spread_K

    def dropped(vector_K: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """10 to 50 % of the numbers are missing."""
        left_K = np.where(rng.random(len(vector_K)) < 0.1 * severity, np.nan, vector_K)
        return None if np.isnan(left_K).all() else left_K

    def scale(vector_K: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """1.2 to 2 times as far from training's mean, or as many times less."""
        return middle_K + (vector_K - middle_K) * (1 + 0.2 * severity) ** rng.choice([-1.0, 1.0])

    def fitting(change: Corruption) -> Corruption:
        """Vectors of another length than training's are left to ``sample_of``, which refuses them."""
        return lambda vector, severity, rng: change(vector, severity, rng) if len(vector) == len(middle_K) else vector

    return {name: fitting(change) for name, change in (("noise", noise), ("dropped", dropped), ("scale", scale))}


# -- points --------------------------------------------------------------------------------------------------------------


def of_points(mean: Sequence[float], std: Sequence[float]) -> dict[str, Corruption]:
    """Of float64 (N, C), x y z first; ``mean`` and ``std`` of each channel in training."""
    middle_C, spread_C = np.array(mean), np.array(std)
    place = min(3, len(spread_C))

    def jitter(cloud_NC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        """Every point moved by 0.05 to 0.25 spreads; what else it says stays."""
        moved_NC = cloud_NC.copy()
        moved_NC[:, :place] += rng.normal(0, 1, (len(cloud_NC), place)) * 0.05 * severity * spread_C[:place]
        return moved_NC

    def thinned(cloud_NC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """15 to 75 % of the points are lost."""
        return _some(cloud_NC, rng.random(len(cloud_NC)) >= 0.15 * severity)

    def sector(cloud_NC: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray | None:
        """36 to 180 degrees about the vertical through the middle of training's points are lost."""
        x_N = cloud_NC[:, 0] - middle_C[0]
        y_N = cloud_NC[:, 1] - middle_C[1] if place > 1 else np.zeros(len(cloud_NC))
        away_N = np.abs((np.arctan2(y_N, x_N) - rng.uniform(0, 2 * math.pi) + math.pi) % (2 * math.pi) - math.pi)
        return _some(cloud_NC, away_N >= 0.1 * severity * math.pi)

    def fitting(change: Corruption) -> Corruption:
        return lambda cloud, severity, rng: change(cloud, severity, rng) if cloud.shape[1] == len(middle_C) else cloud

    return {name: fitting(change) for name, change in (("jitter", jitter), ("thinned", thinned), ("sector", sector))}


def _some(cloud_NC: np.ndarray, keep_N: np.ndarray) -> np.ndarray | None:
    return cloud_NC[keep_N] if keep_N.any() else None


def each(corruptions: Mapping[str, Corruption]) -> dict[str, Corruption]:
    """The same of a list: of each of its arrays by itself; what could not be read among them stays."""

    def of_all(change: Corruption) -> Corruption:
        return lambda held, severity, rng: [
            change(item, severity, rng) if isinstance(item, np.ndarray) else item for item in held
        ]  # fmt: skip

    return {name: of_all(change) for name, change in corruptions.items()}
