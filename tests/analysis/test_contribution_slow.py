"""The contributions of fields on tables with a known answer: CSV files, through ``polymodal train`` and ``polymodal explain``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from builders.tables import COLORS, picture, sentence, write_csv
from polymodal.cli.main import main

pytestmark = pytest.mark.slow

ONE_MODEL = ("data.split.kind=random", "data.split.valid=0.2", "training.baselines=false", "model.width=16", "training.patience=60",
             "model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8]", "fields.photo.size=8", "training.lr=5e-3")  # fmt: skip
Make = Callable[[int, int, np.random.Generator], Any]


def explained(folder: Path, label: Make, *words: str, rows: int = 300, members: int = 1) -> dict[str, Any]:
    """What ``explain`` finds on new rows of a table whose picture is red or blue, and whose text says lemon or tiger."""
    for seed, (name, count) in enumerate((("train", rows), ("new", 250))):
        rng = np.random.default_rng(seed)
        table = []
        for at in range(count):
            red, lemon = (int(value) for value in rng.integers(0, 2, 2))
            photo = picture(folder / name / f"{at}.png", COLORS["red" if red else "blue"], rng, 8)
            table.append([photo, sentence(rng, "lemon" if lemon else "tiger", 3), label(red, lemon, rng)])
        write_csv(folder / f"{name}.csv", ["photo", "said", "y"], table)
    run = str(folder / "run")
    trained = CliRunner().invoke(main, ["train", str(folder / "train.csv"), "--target", "y", "-o", run, "--quiet", *ONE_MODEL, *words])
    assert trained.exit_code == 0, (trained.output, trained.exception)
    result = CliRunner().invoke(main, ["explain", run, str(folder / "new.csv"), "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout)
    assert (found["asked"], found["with_target"], found["members"]) == (250, 250, members)
    told: dict[str, Any] = found["targets"]["y"]
    assert sum(one["shapley"] for one in told["fields"].values()) == pytest.approx(told["whole"] - told["nothing"], abs=1e-12)
    assert told["additive"]["rows"] == 200
    return told


FOLDS = ("data.split.kind=folds", "data.split.folds=2")


@pytest.mark.parametrize(("split", "members"), [((), 1), (FOLDS, 2)], ids=["one model", "two models"])
def test_of_an_exclusive_or_nothing_is_left_without_interaction_and_it_is_shared_evenly(
    tmp_path: Path, split: tuple[str, ...], members: int
) -> None:
    def label(red: int, lemon: int, rng: np.random.Generator) -> str:
        return "yes" if red != lemon else "no"

    told = explained(tmp_path, label, "training.epochs=60", *split, rows=400, members=members)
    assert told["whole"] >= 0.95
    assert abs(told["nothing"] - 0.5) <= 0.1
    assert told["additive"]["metric"] <= 0.65, "a sum of what each field says knows no more than a coin"
    for one in told["fields"].values():
        assert one["share"] == pytest.approx(0.5, abs=0.15)
        assert abs(one["alone"] - 0.5) <= 0.15
        assert one["permuted"]["score"] == pytest.approx(0.5, abs=0.1), "another row's field leaves a coin"


@pytest.mark.parametrize("fusion", ["concat", "lowrank"])
def test_of_a_sum_the_projection_is_the_model(tmp_path: Path, fusion: str) -> None:
    def amount(red: int, lemon: int, rng: np.random.Generator) -> str:
        return f"{3 * red + 2 * lemon + rng.normal(0, 0.1):.3f}"

    told = explained(tmp_path, amount, "training.epochs=60", f"model.fusion.kind={fusion}")
    assert told["metric"] == "r2"
    assert told["whole"] >= 0.95
    assert told["additive"]["metric"] == pytest.approx(told["additive"]["whole"], abs=1e-6 if fusion == "concat" else 0.02)
    assert told["fields"]["photo"]["share"] > told["fields"]["said"]["share"] > 0.1


@pytest.mark.parametrize("of", ["photo", "said"])
def test_of_a_label_in_one_field_that_one_has_the_share(tmp_path: Path, of: str) -> None:
    told = explained(
        tmp_path, lambda red, lemon, _: "yes" if (red if of == "photo" else lemon) else "no", "training.epochs=30", "data.split.valid=0.4"
    )
    other = "said" if of == "photo" else "photo"
    assert told["whole"] >= 0.95
    assert told["fields"][of]["share"] >= 0.95
    assert told["fields"][of]["alone"] >= 0.95
    assert told["fields"][other]["permuted"]["score"] <= 0.02
    assert told["additive"]["metric"] >= told["additive"]["whole"] - 0.01
