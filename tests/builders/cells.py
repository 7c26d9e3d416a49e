"""A cell of every modality, and a configuration of every entry of the menus."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
from PIL import Image as Pillow

from builders.tables import clip
from builders.tiny import tiny
from polymodal import encoders, modalities

NEEDED: dict[str, Any] = {"column": "x", "columns": ["x"], "model": "somewhere"}


def named(config: Any) -> str:
    return f"{config.__module__.split('.')[1]}.{config.model_fields['kind'].default}"


def defaults(config: Any) -> Any:
    """A config with nothing said but what must be."""
    return config(**{name: NEEDED[name] for name, field in config.model_fields.items() if field.is_required()}
                  | ({"column": "x"} if named(config) == "modalities.text" else {}))  # fmt: skip


def made(config: Any) -> Any:
    """A config that can be built: a pretrained one of a small model, all of which learns."""
    return config(model=str(tiny("vit")), tune="full") if config is encoders.PretrainedConfig else config()


def fusing(config: Any) -> Any:
    """A config of a fusion of the fields a, b and so on, of which the first is the text if the fusion has one."""
    return config(text="a") if "text" in config.model_fields else config()


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def sound(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    tones = np.sin(np.arange(rng.integers(2_000, 9_000)) * rng.uniform(0.1, 0.9)) * 0.3 + rng.normal(0, 0.01)
    soundfile.write(file, tones, 8_000, format="WAV")
    return file.getvalue()


WORDS = ["apple", "river", "stone", "cloud", "红色的苹果", "绿色", "window", "garden", "silver"]


CELLS: dict[str, Callable[[np.random.Generator], Any]] = {}
"""A random cell of each kind of field that ``cell_of`` does not know."""


def cell_of(kind: str, at: int) -> Any:
    rng = np.random.default_rng(at)
    if kind == "image":
        return picture(at)
    if kind == "audio":
        return sound(at)
    if kind == "pictures":
        return [picture(100 * at + item) for item in range(rng.integers(1, 5))]
    if kind == "video":
        return clip(rng.integers(0, 256, (rng.integers(1, 12), 24, 32, 3)))
    if kind == "points":
        return (rng.normal(size=(rng.integers(5, 90), 4)) + np.array([at, 0, 0, 1])).tolist()
    if kind == "series":
        return (rng.normal(size=(rng.integers(10, 70), 2)) + np.array([at, 0])).tolist()
    if kind == "vector":
        return [None if rng.random() < 0.1 else float(value) for value in rng.normal(size=12) + at]
    if kind == "text":
        return " ".join(rng.choice(WORDS, rng.integers(1, 60)))
    if kind in CELLS:
        return CELLS[kind](rng)
    return (f"{rng.normal():.3f}", str(rng.choice(["a", "b"])), f"2024-0{rng.integers(1, 9)}-11", "" if at % 3 else "7")


FIELDS: dict[str, Any] = {
    "image": modalities.ImageConfig(column="x", size=32),
    "pictures": modalities.PicturesConfig(column="x", size=32, max_pictures=4),
    "video": modalities.VideoConfig(column="x", size=32),
    "text": modalities.TextConfig(column="x"),
    "points": modalities.PointsConfig(column="x"),
    "series": modalities.SeriesConfig(column="x"),
    "vector": modalities.VectorConfig(column="x"),
    "audio": modalities.AudioConfig(column="x", rate=8_000, mels=16),
    "tabular": modalities.TabularConfig(columns=["n", "c", "d", "m"], types={"n": "number", "c": "category", "d": "date", "m": "number"}),
}
