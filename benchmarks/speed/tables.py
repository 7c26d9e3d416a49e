"""Tables on which speed is measured."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

WORDS = [f"word{at}" for at in range(3_000)]


def phrase(rng: np.random.Generator, length: int) -> str:
    """Return words, the frequent ones more often (Zipf's law)."""
    return " ".join(WORDS[at] for at in rng.zipf(1.3, length) % len(WORDS))


def text_and_numbers(rows: int, seed: int = 0) -> dict[str, list[Any]]:
    """Return texts of 5 to 24 words, six numbers, a category, and a class that a word and a number determine, with noise."""
    rng = np.random.default_rng(seed)
    texts = [phrase(rng, int(length)) for length in rng.integers(5, 25, rows)]
    numbers = rng.normal(size=(rows, 6)).round(4)
    score = numbers[:, 0] + 1.5 * np.array(["word7" in text.split() for text in texts]) + rng.normal(size=rows)
    table: dict[str, list[Any]] = {f"x{at}": numbers[:, at].tolist() for at in range(6)}
    return table | {
        "shop": [f"shop {at}" for at in rng.integers(0, 30, rows)], "text": texts, "y": np.where(score > 0.5, "yes", "no").tolist(),
    }  # fmt: skip


def picture(rng: np.random.Generator, side: int, format: str = "PNG", red: bool = False) -> bytes:
    """Return a picture of smooth waves and noise."""
    down, right = np.mgrid[:side, :side]
    waves = 128 + 50 * np.sin(right / 17 + rng.random())[..., None] + 50 * np.cos(down / 23)[..., None] * np.ones(3)
    waves[..., 0] += 40 * red
    pixels = (waves + rng.normal(0, 6, (side, side, 3))).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format)
    return out.getvalue()


def pictures_and_text(rows: int, side: int = 64, shared: int = 1, distinct: bool = False, seed: int = 0) -> dict[str, list[Any]]:
    """Return pictures, each shared by some rows, texts, and a class that the picture's colour and a word determine.

    :param shared: the number of rows with the same picture
    :param distinct: whether the bytes of each row's picture differ, although its pixels are shared: a byte follows the file
    """
    rng = np.random.default_rng(seed)
    every = [picture(rng, side, red=at % 2 == 0) for at in range(-(-rows // shared))]
    cells = [every[at // shared] + (at.to_bytes(4, "big") if distinct else b"") for at in range(rows)]
    texts = [phrase(rng, 6) + (" yes" if rng.random() < 0.5 else " no") for _ in range(rows)]
    labels = ["same" if (at // shared % 2 == 0) == text.endswith("yes") else "other" for at, text in enumerate(texts)]
    return {"picture": cells, "text": texts, "y": labels}
