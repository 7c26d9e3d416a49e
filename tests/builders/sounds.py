"""Tones, and files of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def encoded(sound: np.ndarray, rate: int = RATE, format: str = "WAV", subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format=format, subtype=subtype)
    return out.getvalue()


def sounds(folder: Path, rows: int = 120, seed: int = 0) -> Path:
    """A tone that rises, falls or stays; of any pitch, loudness and length."""
    rng = np.random.default_rng(seed)
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    lines = ["clip,shape"]
    for at in range(rows):
        shape = ["rises", "falls", "stays"][at % 3]
        seconds, base = rng.uniform(0.3, 0.6), rng.uniform(300, 900)
        sweep = {"rises": (1, 2), "falls": (2, 1), "stays": (1.4, 1.4)}[shape]
        hertz = base * np.linspace(*sweep, round(seconds * 8_000))
        sound = rng.uniform(0.05, 0.9) * np.sin(2 * np.pi * np.cumsum(hertz) / 8_000) + rng.normal(0, 0.003, len(hertz))
        soundfile.write(folder / "wav" / f"{seed}_{at}.wav", sound.clip(-1, 1), 8_000)
        lines.append(f"wav/{seed}_{at}.wav,{shape}")
    path = folder / f"sounds_{seed}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
