"""Streams of random numbers: registered by name, unchanged from version to version, and used nowhere else."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from builders import ROOT
from polymodal.random_streams import Stream, generator, seed_of

SOURCE = ROOT / "src" / "polymodal"
SEEDED_BY_CONTENT = {"modalities/signal_corruption.py", "modalities/points.py"}
NUMBERS = {
    "INSPECTED_CELLS": 3, "SUSPECT_ROWS": 5, "SPLIT": 7, "ORDER": 11, "HIDDEN_FIELDS": 13, "MODEL": 17, "BALANCE": 19, "VARIANCE": 19,
    "ROUND_CHANCE": 20, "CALIBRATION_PARTS": 23, "PREFLIGHT_ROWS": 23, "ROUND_ROWS": 23, "FITTED_CELLS": 29, "ROUND": 29,
    "CALIBRATION_ROWS": 31, "TREES": 37, "ROUNDS": 41, "IMPORTANCE": 43, "TRIAL": 47,
}  # fmt: skip


def test_a_number_never_changes() -> None:
    assert {stream.name: stream.value[0] for stream in Stream if stream.value[0] is not None} == NUMBERS
    assert len({stream.value[1] for stream in Stream}) == len(Stream)


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 3, 2**63])
def test_a_generator_is_a_function_of_the_seed_the_stream_and_the_further_numbers(seed: int) -> None:
    def first(rng: np.random.Generator) -> list[int]:
        return rng.integers(0, 2**60, 4).tolist()

    assert first(generator(Stream.SPLIT, seed)) == first(np.random.default_rng([seed, 7]))
    assert first(generator(Stream.ORDER, seed, 3)) == first(np.random.default_rng([seed, 11, 3]))
    assert first(generator(Stream.ROUND_ROWS, (seed, 2))) == first(np.random.default_rng([seed, 2, 23]))
    assert first(generator(Stream.SHAPLEY_ORDERS, seed)) == first(np.random.default_rng(seed))
    assert seed_of(Stream.MODEL, seed, 1, 0) == int(np.random.SeedSequence([seed, 17, 1, 0]).generate_state(1, np.uint64)[0] >> 1)
    assert seed_of(Stream.ROUND, seed, 1, bits=62) < 2**62


def test_no_other_module_makes_a_generator() -> None:
    used = set()
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Stream":
                used.add(node.attr)
            if name != "random_streams.py" and name not in SEEDED_BY_CONTENT and isinstance(node, ast.Attribute):
                assert node.attr not in ("default_rng", "SeedSequence", "RandomState"), f"{name}, line {node.lineno}"
    assert used == {stream.name for stream in Stream}
