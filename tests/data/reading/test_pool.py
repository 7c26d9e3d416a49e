"""Cells read in several threads: the samples, faults and order of one thread, whatever the threads do."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.data.reading import read_distinct, read_in_order
from polymodal.data.sources import open_source
from polymodal.data.store import Store
from polymodal.errors import Fault
from polymodal.modalities import Image, ImageConfig, Roots, Text, TextConfig


def picture(seed: int, side: int = 300) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


CELLS = [picture(at) for at in range(12)]
CELLS += [CELLS[3], b"no picture", CELLS[5][:400], CELLS[0]]


def image() -> Image:
    config = ImageConfig(column="photo", size=16)
    return Image(config, Image.fit(config, CELLS[:4], "pixels", {}, Roots()), Roots())


class Slow(Image):
    """Reads the first cells of each eight slowly, and records the threads that read."""

    threads: set[int]

    def read(self, cell: Any) -> Any:
        self.threads.add(threading.get_ident())
        time.sleep(0.02 if cell % 8 == 0 else 0.002)
        if cell % 5 == 3:
            raise Fault(f"cell {cell}")
        return {"pixels": np.full((1, 1, 1), cell, np.uint8)}


def slow() -> Slow:
    made = Slow(ImageConfig(column="photo"), image().state, Roots())
    made.threads = set()
    return made


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_are_in_the_order_of_the_cells(workers: int) -> None:
    modality = slow()
    results = list(read_in_order(modality, iter(range(40)), workers))
    for cell, (sample, fault) in enumerate(results):
        assert (sample is None) == (cell % 5 == 3)
        assert str(fault) == f"cell {cell}" if sample is None else sample["pixels"].item() == cell
    assert len(results) == 40
    assert (len(modality.threads) > 1) == (workers > 1)


def test_few_cells_are_read_ahead_and_the_rest_not_at_all_if_the_caller_stops() -> None:
    modality, given = slow(), []

    def cells() -> Any:
        for at in range(1_000):
            given.append(at)
            yield at

    results = read_in_order(modality, cells(), 2)
    for _ in range(10):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(given) <= 10 + 4 * 2 + 1
    assert threading.active_count() < 50


def test_an_error_that_is_no_fault_reaches_the_caller() -> None:
    class Broken(Slow):
        def read(self, cell: Any) -> Any:
            if cell == 20:
                raise ZeroDivisionError
            return super().read(cell)

    modality = Broken(ImageConfig(column="photo"), image().state, Roots())
    modality.threads = set()
    with pytest.raises(ZeroDivisionError):
        list(read_in_order(modality, range(40), 3))


def test_text_is_read_in_the_calling_thread() -> None:
    config = TextConfig(column="text")
    read: set[int] = set()

    class Watched(Text):
        def read(self, cell: Any) -> Any:
            read.add(threading.get_ident())
            time.sleep(0.002)
            return super().read(cell)

    text = Watched(config, Text.fit(config, ["a b"], "ngrams", {"buckets": 64, "max_ngrams": 8}, Roots()), Roots())
    list(read_in_order(text, ["one two"] * 10, 4))
    assert read == {threading.get_ident()}


def test_equal_cells_are_read_once() -> None:
    results, positions = read_distinct(image(), CELLS, 3)
    assert positions == [*range(12), 3, 12, 13, 0]
    assert [fault is None for _, fault in results] == [True] * 12 + [False] * 2
    results, positions = read_distinct(slow(), [1, 1, 2], 1)
    assert positions == [0, 1, 2], "objects are not compared"
    assert len(results) == 3


@pytest.mark.parametrize("workers", [2, 4])
def test_a_store_filled_by_threads_has_the_bits_of_one_filled_by_one(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("polymodal.data.reading.pool._LEAST_SECONDS", 0.0)

    def filled(threads: Callable[[], int]) -> tuple[Store, list[Any]]:
        monkeypatch.setattr("torch.get_num_threads", threads)
        store = Store(tmp_path / "cells", {"photo": image()})
        faults: list[Any] = []
        store.fill(open_source({"photo": CELLS}), faults.append)
        return store, faults

    (one, of_one), (many, of_many) = filled(lambda: 1), filled(lambda: workers)
    assert of_one == of_many
    assert [fault.row for fault in of_one] == [14, 15]
    assert one.content == many.content
    np.testing.assert_array_equal(one.index["photo"], many.index["photo"])
    for number in range(12):
        np.testing.assert_array_equal(one.sample("photo", number)["pixels"], many.sample("photo", number)["pixels"])
    one.close()
    many.close()
