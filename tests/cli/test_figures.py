"""Tests of the numbers that commands print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.tables import write_csv
from polymodal.cli.main import main
from polymodal.modalities.modality import percent
from polymodal.pages import decimals
from polymodal.pages.document import number


def test_the_package_is_a_command_and_its_help_imports_no_torch() -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "polymodal", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout
    assert "| polymodal.cli.main" in done.stderr.replace("   ", " ")
    assert not {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()} & {"torch", "numpy", "pyarrow", "pydantic"}


@pytest.mark.parametrize(
    ("share", "expected"), [(0, "0%"), (0.0, "0%"), (0.001, "1%"), (0.5, "50%"), (239 / 240, "99%"), (0.9999, "99%"), (1, "100%")]
)
def test_only_all_cells_are_100_percent(share: float, expected: str) -> None:
    assert percent(share) == expected


def test_a_number_that_rounds_to_zero_has_no_minus() -> None:
    assert [decimals(value) for value in (-1e-9, -0.5, None)] == ["0.0000", "-0.5000", "-"]
    assert [number(value) for value in (-1e-9, -0.5, None)] == ["0.0000", "-0.5000", "–"]
    assert [number(value, signed=True) for value in (-1e-9, -0.5, 0.5)] == ["+0.0000", "-0.5000", "+0.5000"]


def test_evaluate_states_how_many_rows_were_measured_and_explain_rounds_a_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"{a:.3f}", f"{3 * a + 10:.3f}"] for a in rng.normal(size=60)]
    table = write_csv(tmp_path / "t.csv", ["a", "y"], rows)
    pm.train(
        table, "training.epochs=1", "data.split.kind=random", "training.baselines=false", "model.width=8", target="y", out=tmp_path / "run"
    )
    new = write_csv(tmp_path / "new.csv", ["a", "y"], [*rows[:36], ["0.1", ""], ["0.1", ""], ["0.1", ""], ["0.1", "many"]])
    found = CliRunner().invoke(main, ["evaluate", str(tmp_path / "run"), str(new)])
    assert found.exit_code == 0, found.output
    assert "y: 3 rows are left out, without a target\n" in found.stderr
    assert "y: 1 row is left out, with a target that cannot be read\n" in found.stderr
    assert "y, 36 of 40 rows\n" in found.stdout
    measured = pm.evaluate(tmp_path / "run", new)
    assert [measured[name] for name in ("rows", "measured", "without_target", "unreadable")] == [40, {"y": 36}, {"y": 3}, {"y": 1}]
    assert "y, 60 rows\n" in CliRunner().invoke(main, ["evaluate", str(tmp_path / "run"), str(table)]).stdout
    explained = CliRunner().invoke(main, ["explain", str(tmp_path / "run"), str(new), "--rows", "1"])
    assert f"row 1, y: {pm.load(tmp_path / 'run').predict(new)[0]:.4f}; " in explained.stdout, explained.output
