"""Small tables on disk, made from a seed, on which tests train."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLORS = {"red": (220, 30, 30), "green": (30, 190, 40), "blue": (40, 60, 220)}
WORDS = ("apple", "river", "stone", "cloud", "table", "music", "paper", "window", "garden", "silver")


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """A CSV, as a spreadsheet would write it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def picture(path: Path, color: tuple[int, int, int], rng: np.random.Generator, size: int = 24) -> str:
    """A noisy picture of one colour; its name says nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(np.array(color) + rng.normal(0, 12, (size, size, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path.relative_to(path.parent.parent))


def clip(
    frames: Any, rate: int = 10, format: str = "avi", codec: str = "mjpeg", turn: int = 0, sound: Any = None, **settings: Any
) -> bytes:
    """Frames (T, H, W, 3) as a video, of a sound track (N,) at 8,000 samples a second where there is one."""
    av: Any = importlib.import_module("av")
    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "ffv1": "bgr0"}.get(codec, "yuv420p")
        stream.bit_rate, stream.codec_context.qmin, stream.codec_context.qmax = 4_000_000, 1, 5
        stream.options = {name: str(value) for name, value in settings.items()}
        if turn:
            stream.set_display_rotation(turn)
        voice = container.add_stream("pcm_s16le" if format != "mp4" else "aac", rate=8_000, layout="mono") if sound is not None else None
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame, np.uint8), "rgb24")))
        container.mux(stream.encode())
        if voice is not None:
            heard = av.AudioFrame.from_ndarray((np.asarray(sound)[None] * 32_767).astype(np.int16), "s16", "mono")
            heard.sample_rate = 8_000
            fifo = av.AudioFifo()
            fifo.write(heard)
            for part in fifo.read_many(1_024, partial=True):
                container.mux(voice.encode(part))
            container.mux(voice.encode())
    return out.getvalue()


def sentence(rng: np.random.Generator, word: str | None = None, count: int = 4) -> str:
    """Some words, in any order, among them ``word``."""
    words = [str(rng.choice(WORDS)) for _ in range(count)] + ([word] if word else [])
    return " ".join(rng.permutation(words))


def shop(folder: Path, rows: int = 120, seed: int = 0, name: str = "shop.csv") -> Path:
    """Pictures, Chinese and English text, numbers and categories; the class is the picture's colour, told by the text too."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    for at in range(rows):
        label = str(rng.choice(list(COLORS)))
        photo = picture(folder / "photos" / f"{seed}_{at:04d}.png", COLORS[label], rng)
        word = {"red": "红色", "green": "绿色", "blue": "蓝色"}[label]
        price = 10 * list(COLORS).index(label) + rng.normal(5, 1)
        table.append([photo, sentence(rng, word), f"{price:.2f}", str(rng.choice(["north", "south"])), label])
    return write_csv(folder / name, ["photo", "标题", "price", "region", "label"], table)


FAST = ("training.epochs=3", "data.split.folds=2", "training.baselines=false", "model.width=16", "model.encoders.photo.kind=convnet",
        "model.encoders.photo.channels=[8, 16]", "fields.photo.size=16")  # fmt: skip
