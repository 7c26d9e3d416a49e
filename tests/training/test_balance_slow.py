"""A field that fits the training rows by a shortcut stops a more informative field: a warning reports it, and balancing corrects it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from builders import ROOT
from builders.tables import write_csv
from polymodal.cli.main import main

pytestmark = pytest.mark.slow

_SPEC = importlib.util.spec_from_file_location("balance_benchmark", ROOT / "benchmarks" / "balance.py")
assert _SPEC is not None
assert _SPEC.loader is not None
benchmark: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(benchmark)


def trained(folder: Path, table: str, seed: int, *words: str) -> tuple[float, dict[str, Any], list[str], list[str]]:
    """Accuracy of the test table, what was measured of each field, warnings, and notes of fields that have learned nothing."""
    folder.mkdir(exist_ok=True)
    for at, (name, count) in enumerate((("train", 500), ("test", 1000))):
        made = benchmark.TABLES[table](np.random.default_rng([seed, at]), count)
        write_csv(folder / f"{name}.csv", list(made), list(zip(*made.values(), strict=True)))
    command = ["train", str(folder / "train.csv"), "--target", "y", "--test", str(folder / "test.csv"), "-o", str(folder / "run"), "--quiet",
               f"seed={seed}", *benchmark.SETTINGS, *words]  # fmt: skip
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, (result.output, result.exception)
    metrics = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    events = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    warnings = [event["text"] for event in events if event["event"] == "warning"]
    silent = [event["text"] for event in events if event["event"] == "note" and "has learned nothing so far" in event["text"]]
    return metrics["test"]["tasks"]["y"]["accuracy"], {name: told["y"] for name, told in metrics["balance"].items()}, warnings, silent


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_shortcut_stops_the_other_field_that_is_told_and_balancing_mends_it(tmp_path: Path, seed: int) -> None:
    accuracy, fields, warnings, silent = trained(tmp_path, "shortcut", seed, *benchmark.BARE)
    assert accuracy < 0.9
    assert fields["columns"]["alone"] > 0.94
    assert fields["columns"]["vote"] < 0.85
    assert fields["columns"]["stopped"] is True
    assert fields["text"]["stopped"] is False
    (line,) = warnings
    assert line.startswith("field 'columns' stopped learning beside the others: alone it reaches accuracy ")
    assert "'text' fits the training rows since epoch" in line
    assert line.endswith("try a larger training.auxiliary, or training.balance.kind=ogm_ge with training.balance.alpha=2")
    assert "stopped learning" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert all("field 'columns'" in line for line in silent)
    strong = ("training.balance.kind=ogm_ge", "training.balance.alpha=2")
    balanced, fields, warnings, _ = trained(tmp_path / "balanced", "shortcut", seed, *benchmark.BARE, *strong)
    assert balanced > 0.93
    assert balanced > accuracy + 0.08
    assert fields["columns"]["stopped"] is False
    assert not warnings


@pytest.mark.parametrize("words", [(), benchmark.BARE], ids=["default", "bare"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_field_that_holds_nothing_is_not_said_to_have_stopped(tmp_path: Path, seed: int, words: tuple[str, ...]) -> None:
    _, fields, warnings, _ = trained(tmp_path, "noise", seed, *words, "training.epochs=12")
    assert fields["columns"]["alone"] < 0.65
    assert not warnings
