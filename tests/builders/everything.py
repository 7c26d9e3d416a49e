"""A table with fields of every kind that can be exported, several targets, and missing cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from builders.tables import COLORS, picture, sentence

TARGETS = ["label", "amount", "tags"]
SETTINGS = (
    "training.epochs=2", "data.split.kind=random", "data.split.valid=0.2", "training.baselines=false", "model.width=8", "model.encoders.photo.kind=convnet",
    "model.encoders.photo.channels=[4, 8]", "fields.photo.size=16", "model.encoders.clip.channels=[4, 8]", "fields.clip.mels=16",
    "model.encoders.signal.hidden=8", "model.encoders.signal.heads=2", "model.encoders.标题.buckets=512", "model.trees.rounds=8", "model.trees.leaves=4",
    "model.encoders.signal.depth=1",
)  # fmt: skip
_WORDS = {"red": "红色的苹果", "green": "Grün, naïve 🍏", "blue": "синий 蓝天 café"}


def table_of(folder: Path, rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows whose picture, Chinese and other text, numbers, dates, sound, series and vector all depend on the label. One cell in eight is
    empty, and a few numbers are written in other notations."""
    rng = np.random.default_rng(seed)
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    made = []
    for at in range(rows):
        label = str(rng.choice(list(COLORS)))
        place = list(COLORS).index(label)
        steps = int(rng.integers(20, 90))
        wave = np.sin(np.arange(steps) / (3 + 2 * place)) + rng.normal(0, 0.1, steps)
        seconds, rate = rng.uniform(0.3, 0.7), int(rng.choice([8_000, 16_000, 22_050]))
        sound = 0.4 * np.sin(2 * np.pi * 300 * (1 + place) * np.arange(round(seconds * rate)) / rate) + rng.normal(
            0, 0.01, round(seconds * rate)
        )
        clip = f"wav/{seed}_{at}.wav"
        soundfile.write(folder / clip, np.stack([sound, sound], 1) if at % 5 == 0 else sound, rate, "PCM_24" if at % 3 == 0 else "PCM_16")
        price = 1_000 * place + rng.normal(500, 200)
        row: dict[str, Any] = {
            "photo": picture(folder / "photos" / f"{seed}_{at}.png", COLORS[label], rng),
            "标题": sentence(rng, _WORDS[label]),
            "price": f"{price:,.2f}" if at % 4 else f"${price:.2f}",
            "region": str(rng.choice(["north", "south", "East", "１号"])),
            "day": f"2024-{1 + place:02d}-{int(rng.integers(1, 28)):02d}" + (" 13:45:10" if at % 3 else ""),
            "clip": clip,
            "signal": json.dumps([None if rng.random() < 0.03 else round(float(value), 4) for value in wave]),
            "embedding": json.dumps([round(float(value), 4) for value in rng.normal(place, 1, 5)]),
        }
        row = {name: "" if rng.random() < 0.125 else cell for name, cell in row.items()}
        tags = [tag for tag in ("big", "warm", "old") if rng.random() < 0.3 + 0.3 * (tag == "warm" and place == 0)]
        made.append({**row, "label": label, "amount": f"{price / 10 + rng.normal(0, 3):.2f}", "tags": ";".join(tags) or ";"})
    return made
