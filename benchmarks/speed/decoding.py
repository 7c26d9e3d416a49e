"""Decoding of pictures by two threads, compared with one."""

from __future__ import annotations

from functools import partial

import numpy as np
from speed.tables import picture
from speed.timing import Figure, figure, interleaved

from polymodal.data.reading import read_in_order
from polymodal.modalities import Image, ImageConfig, Roots


def measure(quick: bool = False) -> list[Figure]:
    """Return the ratio of times for files of several sizes."""
    rng = np.random.default_rng(0)
    figures = []
    for side, format, count in ((1_024, "JPEG", 64), (512, "PNG", 96)):
        cells = [picture(rng, side, format) for _ in range(8)] * (1 if quick else count // 8)
        config = ImageConfig(column="picture")
        image = Image(config, Image.fit(config, cells[:8], "pixels", {}, Roots()), Roots())

        def read(workers: int, image: Image = image, cells: list[bytes] = cells) -> None:
            for _ in read_in_order(image, cells, workers):
                pass

        times = interleaved({"one": partial(read, 1), "two": partial(read, 2)}, 1 if quick else 7)
        figures.append(figure(f"{format} of {side} x {side}: decoding on one core / on two", times, "one", "two", least=1.7))
    return figures
