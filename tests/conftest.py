"""Fixtures, and the number of threads of every test process."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the suite runs as many processes as there are cores
os.environ["LC_ALL"] = "C.UTF-8"  # texts are in English, whatever the locale of the machine
os.environ["COLUMNS"] = "80"  # and lines as long as on any other terminal
for name in ("NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)

import numpy as np
import pytest

from builders.shapes import install
from builders.tables import FAST, shop

if TYPE_CHECKING:
    import polymodal as pm

install("polymodal.layers", "polymodal.fusions", "polymodal.encoders", "polymodal.model")


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``shop.csv`` (120 rows) and ``other.csv`` (70 more of the same kind)."""
    folder = tmp_path_factory.mktemp("shop")
    shop(folder)
    shop(folder, 70, seed=1, name="other.csv")
    return folder


@pytest.fixture(scope="session")
def shop_run(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on ``shop.csv``: two folds of a small model."""
    import polymodal as pm

    out = tmp_path_factory.mktemp("run") / "run"
    pm.train(shop_folder / "shop.csv", *FAST, target="label", out=out)
    return out


@pytest.fixture(scope="module")
def model(shop_run: Path, shop_folder: Path) -> pm.Predictor:
    """The model of ``shop_run``, which finds the files of ``shop_folder``."""
    import polymodal as pm

    return pm.load(shop_run, root=[shop_folder])


@pytest.fixture(scope="module")
def rows(shop_folder: Path) -> list[dict[str, Any]]:
    """The rows of ``other.csv``."""
    with (shop_folder / "other.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers, the same in every test."""
    return np.random.default_rng(0)
