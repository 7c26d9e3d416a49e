"""Tables for pretrained encoders, and their training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import polymodal as pm
from builders.tables import COLORS, picture, sentence, write_csv

FAST = ("training.epochs=2", "data.split.kind=random", "training.baselines=false", "model.width=8")


def table_of(kind: str, folder: Path, rows: int = 30, seed: int = 0) -> Path:
    """A table of pictures, texts or sounds that say the class."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    out = []
    for at in range(rows):
        label = str(rng.choice(list(COLORS)))
        if kind == "image":
            cell = picture(folder / "p" / f"{seed}_{at}.png", COLORS[label], rng, int(rng.integers(20, 50)))
        elif kind == "text":
            cell = sentence(rng, label)
        else:
            (folder / "s").mkdir(exist_ok=True)
            pitch = {"red": 300, "green": 900, "blue": 2_000}[label]
            times = np.arange(int(rng.integers(4_000, 14_000))) / 8_000
            soundfile.write(
                folder / "s" / f"{seed}_{at}.wav", 0.4 * np.sin(2 * np.pi * pitch * times) + rng.normal(0, 0.01, len(times)), 8_000
            )
            cell = f"s/{seed}_{at}.wav"
        out.append([cell, label])
    return write_csv(folder / f"{kind}_{seed}.csv", ["it", "label"], out)


def train(table: Path, model: str | Path, tune: str, out: Path, *words: str) -> pm.Predictor:
    return pm.train(table, "model.encoders.it.kind=pretrained", f"model.encoders.it.model={model}", f"model.encoders.it.tune={tune}", *FAST,
                    *words, target="label", out=out)  # fmt: skip
