"""CONTRIBUTING's recipes, followed to the letter: one new file and its line on the menu make a fusion, or a modality, or an encoder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builders import ROOT
from builders.tables import write_csv

CHECK = """
import sys
from pathlib import Path

import torch

import polymodal
from polymodal import Experiment, MultiModalModel
from polymodal.config import override
from polymodal.flow import Features
from polymodal.fusions import KINDS, menu_of

assert Path(polymodal.__file__).is_relative_to(sys.argv[1]), polymodal.__file__
assert "maximum" in KINDS

experiment = Experiment.of(override({}, ["model.fusion.kind=maximum"])[0])
assert experiment.model.fusion == menu_of("maximum")
assert Experiment.of(experiment.tree()) == experiment

torch.manual_seed(0)
fusion = experiment.model.fusion.build({"picture": 6, "title": 4}, 8)
assert fusion.width_out == 8
picture = Features(torch.randn(3, 2, 6), torch.tensor([[True, True], [True, False], [False, False]]))
title = Features(torch.randn(3, 1, 4), torch.tensor([[True], [False], [False]]))
fused = fusion({"picture": picture, "title": title}).tokens_BLD
assert fused.shape == (3, 1, 8)
assert fused.isfinite().all()

other = Features(torch.where(title.mask_BL.unsqueeze(-1), title.tokens_BLD, float("nan")), title.mask_BL)
assert torch.equal(fused, fusion({"picture": picture, "title": other}).tokens_BLD), "a missing field left a trace"
both = {"picture": picture, "title": title}
nothing = {name: Features(field.tokens_BLD, torch.zeros_like(field.mask_BL)) for name, field in both.items()}
empty = fusion(nothing).tokens_BLD
assert empty.isfinite().all()
assert (empty == empty[0]).all()
empty.sum().backward()
assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())

model = MultiModalModel(torch.nn.Linear(3, 6), torch.nn.Linear(3, 4), fusion="maximum")
assert model(torch.randn(5, 3), torch.randn(5, 3)).shape == (5, 1)
"""


def blocks(kind: str) -> list[str]:
    """The fenced blocks of CONTRIBUTING.md of one language."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def followed(folder: Path, names: list[str]) -> dict[str, str]:
    """A copy of the package in ``folder`` with the new files and menu lines that CONTRIBUTING.md shows; the environment to run it in."""
    package = folder / "polymodal"
    shutil.copytree(ROOT / "src" / "polymodal", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in names:
        (code,) = [block for block in blocks("python") if block.startswith(f"# src/polymodal/{name}.py\n")]
        (package / f"{name}.py").write_text(code, encoding="utf-8")
        family = name.partition("/")[0]
        (diff,) = [block for block in blocks("diff") if block.startswith(f"--- src/polymodal/{family}/__init__.py\n")]
        menu = package / family / "__init__.py"
        menu.write_text(changed(menu.read_text(encoding="utf-8"), diff), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def test_the_fusion_of_the_worked_example_is_made_by_one_file_and_its_menu_line(tmp_path: Path) -> None:
    env = followed(tmp_path, ["fusions/maximum"])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHECK, str(tmp_path)], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_modality_of_the_worked_example_is_recognised_trained_and_saved(tmp_path: Path) -> None:
    env = followed(tmp_path, ["modalities/color", "encoders/color"])
    rng = np.random.default_rng(0)
    rows = [(f"#{r:02x}{g:02x}{b:02x}", "warm" if r > b else "cold") for r, g, b in rng.integers(0, 256, (300, 3))]
    write_csv(tmp_path / "paint.csv", ["paint", "feeling"], [*rows[:200], ("#12", "warm")])
    write_csv(tmp_path / "new.csv", ["paint", "feeling"], [*rows[200:], ("", "cold")])
    said = "from polymodal.cli.main import entry; import sys; sys.argv[0] = 'polymodal'; entry()"

    def run(*words: str) -> str:
        command = [sys.executable, "-W", "error", "-c", said, *words]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "100% of the cells are colours" in run("inspect", "paint.csv", "--target", "feeling")
    assert "encoder color" in run("train", "paint.csv", "--target", "feeling", "-o", "run", "training.epochs=20", "data.split.kind=random")
    assert "expected a colour such as #ff8800" in (tmp_path / "run" / "faults.csv").read_text(encoding="utf-8")
    found = json.loads(run("evaluate", "run", "new.csv", "--json"))
    assert found["tasks"]["feeling"]["accuracy"] > 0.9


def changed(menu: str, diff: str) -> str:
    """The menu with the diff's lines: new imports above ``CONFIGS``, and the line of ``CONFIGS`` itself."""
    added = [line[1:] for line in diff.splitlines()[1:] if line.startswith("+")]
    removed = [line[1:] for line in diff.splitlines()[1:] if line.startswith("-")]
    imports, (new,), (old,) = [line for line in added if "import" in line], [line for line in added if "import" not in line], removed
    if f"\n{old}\n" not in menu:
        pytest.fail(f"CONTRIBUTING.md shows a menu line that is no longer there: {old}; bring its diff up to date")
    assert len(imports) == 1
    return menu.replace(f"\n{old}\n", f"\n{new}\n").replace("\nCONFIGS", f"\n{imports[0]}\n\nCONFIGS", 1)
