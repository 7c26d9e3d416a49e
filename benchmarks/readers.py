"""Measures the cells per CPU-second and the added memory of every reader.

    python benchmarks/readers.py [--seconds 1]

Each kind of cell is made once, in memory, and read repeatedly for some seconds, in a process of its own; the memory is the increase of the
peak while the reader is fitted and reads. The last column is the speed relative to that of the underlying library alone (decoding only), if
there is one. It exceeds 100 % for a large JPEG, which is decoded at a lower resolution.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def cases() -> dict[str, tuple[Callable[[], Any], Any, Callable[[Any], Any] | None]]:
    """Return by name the maker of the reader, the cell, and the underlying library's function that reads it."""
    import soundfile
    from PIL import Image as Pillow

    from polymodal.modalities import (
        Audio,
        AudioConfig,
        Image,
        ImageConfig,
        Pictures,
        PicturesConfig,
        Points,
        PointsConfig,
        Roots,
        Series,
        SeriesConfig,
        Tabular,
        TabularConfig,
        Text,
        TextConfig,
        Vector,
        VectorConfig,
        Video,
        VideoConfig,
    )  # fmt: skip

    rng = np.random.default_rng(0)
    photo = Pillow.fromarray(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)).resize((1_600, 1_200))

    def encoded(picture: Any, format: str) -> bytes:
        out = io.BytesIO()
        picture.save(out, format)
        return out.getvalue()

    def sound(rate: int, format: str) -> bytes:
        out = io.BytesIO()
        soundfile.write(out, rng.normal(0, 0.1, rate), rate, format=format)
        return out.getvalue()

    def npy(array: Any) -> bytes:
        out = io.BytesIO()
        np.save(out, array)
        return out.getvalue()

    def film(width: int, height: int, frames: int, codec: str, format: str) -> bytes:
        import av

        out = io.BytesIO()
        with av.open(out, "w", format=format) as container:
            stream: Any = container.add_stream(codec, rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            wide = photo.resize((width + frames, height))
            for at in range(frames):
                picture = np.ascontiguousarray(np.asarray(wide)[:, at : at + width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
        return out.getvalue()

    def played(body: Any) -> Any:
        import av

        with av.open(io.BytesIO(body)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            return sum(1 for _ in container.decode(video=0))

    def made(kind: Any, config: Any, form: str, cell: Any, needs: dict[str, Any]) -> Callable[[], Any]:
        return lambda: kind(config, kind.fit(config, [cell] * 3, form, needs, Roots()), Roots())

    def decoded(body: Any) -> Any:
        return Pillow.open(io.BytesIO(body)).load()

    def loaded(body: Any) -> Any:
        return np.load(io.BytesIO(body))

    def heard(body: Any) -> Any:
        return soundfile.read(io.BytesIO(body))

    words = " ".join(rng.choice(["red", "apple", "stone", "river", "红色的苹果"], 40))
    row = tuple(f"{value:.3f}" for value in rng.normal(size=8))
    amounts = tuple(f"{value:,.2f} €".translate(str.maketrans(",.", ".,")) for value in rng.uniform(1_000, 9_000, 8))
    dates = tuple(f"{day:02d}/05/2024" for day in range(24, 32))
    embedding, vector = rng.normal(size=384).tolist(), VectorConfig(column="x")
    jpeg, png = encoded(photo, "JPEG"), encoded(photo.resize((256, 256)), "PNG")
    wav, mp3 = sound(16_000, "WAV"), sound(44_100, "MP3")
    walk, cloud = rng.normal(size=(2_000, 6)), rng.normal(size=(20_000, 4))
    several, tile = [encoded(photo.resize((256, 256)).rotate(at), "JPEG") for at in range(8)], rng.normal(size=(256, 256, 8)).astype("f4")
    clip, large = film(320, 240, 150, "libx264", "mp4"), film(1_920, 1_080, 60, "libx264", "mp4")
    pictures, video = PicturesConfig(column="x", size=64), VideoConfig(column="x", size=64)
    series, points = SeriesConfig(column="x"), PointsConfig(column="x")
    image, audio = ImageConfig(column="x", size=64), AudioConfig(column="x")
    text, columns = TextConfig(column="x"), TabularConfig(columns=[f"c{at}" for at in range(8)])
    return {
        "image: JPEG of 2 megapixels": (made(Image, image, "pixels", jpeg, {}), jpeg, decoded),
        "image: PNG of 256 x 256": (made(Image, image, "pixels", png, {}), png, decoded),
        "image: npy of 256 x 256 x 8": (made(Image, image, "pixels", npy(tile), {}), npy(tile), loaded),
        "pictures: 8 JPEGs of 256 x 256": (made(Pictures, pictures, "frames", several, {}), several, None),
        "video: 8 of 150 frames, 320 x 240": (made(Video, video, "frames", clip, {}), clip, played),
        "video: 8 of 60 frames, 1080p": (made(Video, video, "frames", large, {}), large, played),
        "text: 40 words, n-grams": (made(Text, text, "ngrams", words, {"buckets": 32_768, "max_ngrams": 2_048}), words, None),
        "text: 40 words, subwords": (made(Text, text, "tokens", words, {"vocabulary": 400, "max_tokens": 256}), words, None),
        "tabular: 8 numbers": (made(Tabular, columns, "columns", row, {}), row, None),
        "tabular: 8 amounts, 1.234,50 €": (made(Tabular, columns, "columns", amounts, {}), amounts, None),
        "tabular: 8 dates, 31/05/2024": (made(Tabular, columns, "columns", dates, {}), dates, None),
        "vector: 384 numbers": (made(Vector, vector, "vector", embedding, {}), embedding, None),
        "audio: 1 s of WAV, 16 kHz": (made(Audio, audio, "spectrogram", wav, {}), wav, heard),
        "audio: 1 s of MP3, 44.1 kHz": (made(Audio, audio, "spectrogram", mp3, {}), mp3, heard),
        "series: 2,000 x 6, npy": (made(Series, series, "series", npy(walk), {}), npy(walk), loaded),
        "series: 2,000 x 6, JSON": (made(Series, series, "series", walk.tolist(), {}), json.dumps(walk.tolist()), json.loads),
        "points: 20,000 x 4, npy": (made(Points, points, "points", npy(cloud), {}), npy(cloud), loaded),
    }  # fmt: skip


def rate(act: Callable[[Any], Any], cell: Any, seconds: float) -> float:
    """Return the calls per CPU-second."""
    act(cell)
    begin, count = time.process_time(), 0
    while time.process_time() - begin < seconds:
        act(cell)
        count += 1
    return count / (time.process_time() - begin)


def measure(name: str, seconds: float) -> None:
    """Measure one reader in this process."""
    make, cell, library = cases()[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader = make()
    reader.read(cell)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    ours = rate(reader.read, cell, seconds)
    share = "" if library is None else f"{ours / rate(library, cell, seconds):>10.0%}"
    print(f"{name:36}{ours:>16,.0f}{grown:>12,.1f}{share}")


def main() -> None:
    """Measure each reader in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        measure(asked.only, asked.seconds)
        return
    print(f"{'':36}{'cells / CPU-s':>16}{'MiB added':>12}{'of library':>10}", flush=True)
    for name in cases():
        subprocess.run([sys.executable, __file__, "--seconds", str(asked.seconds), "--only", name], check=True)


if __name__ == "__main__":
    main()
