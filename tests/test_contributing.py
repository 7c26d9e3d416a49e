"""CONTRIBUTING's recipes, applied exactly as they are written to a copy of the package: the files that a recipe shows are enough for a fusion, an
encoder, a modality or a task to work everywhere."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from builders import ROOT
from builders.tables import sentence, write_csv
from polymodal.errors import DataError, Fault
from polymodal.evaluation.conformal import Errors, sets

TESTS = ("conftest.py", "builders", "test_architecture.py", "test_contracts.py", "analysis/test_robustness.py")
"""The tests that are copied with the package, and what they import."""

FUSION_CHECK = """
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


TASK_CHECK = """
import sys
import warnings
from pathlib import Path

import numpy as np
import polymodal as pm
from polymodal.tasks import class_of

assert Path(pm.__file__).is_relative_to(sys.argv[1]), pm.__file__
model = pm.load("run")
task = model.bundle.tasks["mood"]
assert (task.outputs, task.classes, task.usual_metric, task.judged_by) == (2, ["low", "mid", "high"], "kappa", "kappa")
assert type(task) is class_of("ordinal")

answers, chances = model.predict("new.csv"), model.predict_proba("new.csv")
assert set(answers) == {"low", "mid", "high"}
assert np.allclose(chances.sum(1), 1, atol=1e-6)
assert (chances >= 0).all()
assert all(answer == task.classes[at] for answer, at in zip(answers, chances.argmax(1)))
sets = model.predict_sets("new.csv", 0.95)
truth = [row.rsplit(",", 1)[1] for row in Path("new.csv").read_text().splitlines()[1:]]
assert np.mean([one in some for one, some in zip(truth, sets)]) > 0.85

found = model.evaluate("new.csv")["tasks"]["mood"]
ranks = np.array([task.classes.index(one) for one in truth])
off = ranks - chances.argmax(1)
assert np.isclose(found["rank_mae"], np.abs(off).mean())
pairs = ((ranks[:, None] - chances.argmax(1)[None, :]) ** 2).mean()
assert np.isclose(found["kappa"], 1 - (off**2).mean() / pairs), "Cohen's weighted kappa, by its definition"
assert found["kappa"] > 0.6

target = np.stack([task.encode(one) for one in truth])
for metric in task.metric_names:
    row_values = task.row_values(target, chances, metric)
    assert np.isclose(row_values.mean(), found[metric], atol=1e-6), metric
exact = np.abs(off) - np.abs(off).mean()
assert np.allclose(task.influence("rank_mae", target, chances), exact, atol=1e-6), "the jackknife of a mean is exact"

again = pm.load(model.save("saved"))
assert np.array_equal(again.predict_proba("new.csv"), chances)
explained = pm.explain("run", "new.csv", rows=[1])["explained"][0]["targets"]["mood"]
assert (explained["unit"], explained["answer"]) == ("log-odds", answers[0])
"""


def section(kind: str) -> str:
    """The recipe for a new component of a kind, as CONTRIBUTING.md shows it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(rf"^## Recipe: a new {kind}\n(.*?)^## ", text, flags=re.MULTILINE | re.DOTALL)
    return str(recipe)


def followed(folder: Path, *kinds: str) -> dict[str, str]:
    """Copy the package into ``folder``, apply the recipes for new components of some kinds, and return the environment to run it in."""
    shutil.copytree(ROOT / "src" / "polymodal", folder / "src" / "polymodal", ignore=shutil.ignore_patterns("__pycache__"))
    for name in TESTS:
        (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / "tests" / name).is_dir():
            shutil.copytree(ROOT / "tests" / name, folder / "tests" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for kind in kinds:
        before = {path: path.read_bytes() for path in folder.rglob("*.py")}
        code, diffs = (
            re.findall(rf"^```{language}\n(.*?)^```$", section(kind), flags=re.MULTILINE | re.DOTALL) for language in ("python", "diff")
        )
        (file,) = code  # one new file
        made = folder / file.splitlines()[0].removeprefix("# ")
        assert not made.exists()
        made.write_text(file, encoding="utf-8")
        touched = {made}
        for diff in diffs:
            path = folder / diff.splitlines()[0].removeprefix("--- ")
            path.write_text(changed(path.read_text(encoding="utf-8"), diff), encoding="utf-8")
            touched.add(path)
        inside = [path for path in touched if path.is_relative_to(folder / "src")]
        assert sorted(path.name for path in inside) == sorted([made.name, "__init__.py"]), "a recipe costs its file and its menu"
        assert {path for path in folder.rglob("*.py") if before.get(path) != path.read_bytes()} == touched
    return {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}


def changed(text: str, diff: str) -> str:
    """The text after the hunks of a diff; the lines that a hunk shows or removes must stand there once, in a row."""
    for hunk in re.split(r"^@@.*\n", diff.partition("\n")[2], flags=re.MULTILINE):
        lines = hunk.splitlines()
        old = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
        new = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
        if f"\n{text}".count(f"\n{old}") != 1:
            pytest.fail(f"CONTRIBUTING.md shows lines that are no longer there: {old!r}; bring its diff up to date")
        text = f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:]
    return text


def run(env: dict[str, str], *words: str) -> str:
    """What Python prints, run in the folder of the copy with these arguments; it must succeed."""
    folder = Path(env["PYTHONPATH"]).parent
    done = subprocess.run([sys.executable, *words], env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


COMMANDS = """
import json
import sys

from click.testing import CliRunner
from polymodal.cli.main import main

printed = []
for words in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, words, prog_name="polymodal")
    assert result.exit_code == 0, (words, result.output, result.exception)
    printed.append(result.output)
json.dump(printed, open("printed.json", "w"))
"""


def polymodal(env: dict[str, str], *commands: tuple[str, ...]) -> list[str]:
    """What commands of the copy print, run one after another in one process."""
    run(env, "-W", "error", "-c", COMMANDS, json.dumps(commands))
    printed: list[str] = json.loads((Path(env["PYTHONPATH"]).parent / "printed.json").read_text(encoding="utf-8"))
    return printed


def meets_its_contract(env: dict[str, str], kind: str, **more: str) -> None:
    """The tests over the menus, of the new component only, and those of the structure of the package; ``more`` are further tests by file."""
    chosen = {"test_contracts": kind, "test_architecture": "menu or families or literal or rooms", **more}
    files = [next((Path(env["PYTHONPATH"]).parent / "tests").rglob(f"{name}.py")) for name in chosen]
    words = " or ".join(f"({name} and ({tests}))" for name, tests in chosen.items())
    printed = run(env, "-m", "pytest", "-v", "-p", "no:cacheprovider", *map(str, files), "-k", words)
    passed = {name: len(re.findall(rf"{name}\.py::.* PASSED", printed)) for name in chosen}
    assert passed["test_contracts"] >= 3
    assert all(passed.values()), passed


def test_the_fusion_of_the_recipe_is_made_by_one_file_and_its_menu_lines(tmp_path: Path) -> None:
    env = followed(tmp_path, "fusion")
    run(env, "-W", "error", "-c", FUSION_CHECK, str(tmp_path))
    meets_its_contract(env, "maximum")


def test_the_modality_and_the_encoder_of_the_recipes_are_recognised_trained_and_saved(tmp_path: Path) -> None:
    env = followed(tmp_path, "modality", "encoder")
    rng = np.random.default_rng(0)
    rows = [(f"#{r:02x}{g:02x}{b:02x}", "warm" if r > b else "cold") for r, g, b in rng.integers(0, 256, (300, 3))]
    write_csv(tmp_path / "paint.csv", ["paint", "feeling"], [*rows[:200], ("#12", "warm")])
    write_csv(tmp_path / "new.csv", ["paint", "feeling"], [*rows[200:], ("", "cold")])
    settings = ("--target", "feeling", "training.epochs=20", "data.split.kind=random")
    inspected, trained, other, *evaluated = polymodal(
        env,
        ("inspect", "paint.csv", "--target", "feeling"),
        ("train", "paint.csv", *settings, "-o", "run"),
        ("train", "paint.csv", *settings, "-o", "other", "model.encoders.paint.kind=linear"),
        ("evaluate", "run", "new.csv", "--json"),
        ("evaluate", "other", "new.csv", "--json"),
    )
    assert "99% of the cells are colors" in inspected, "200 of 201"
    assert "encoder vector" in trained
    assert "expected a color such as #ff8800" in (tmp_path / "run" / "faults.csv").read_text(encoding="utf-8")
    assert "encoder linear" in other
    for found in map(json.loads, evaluated):
        assert found["tasks"]["feeling"]["accuracy"] > 0.9
    meets_its_contract(env, "color or linear", test_robustness="color")


@pytest.mark.slow
def test_the_task_of_the_recipe_works_with_every_command(tmp_path: Path) -> None:
    env = followed(tmp_path, "task", "task of numbers")
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(520, 2))
    level = np.digitize(numbers.sum(1) + 0.3 * rng.normal(size=520), [-0.8, 0.8])
    rows = [
        (f"{a:.3f}", sentence(rng, "calm" if b < 0 else "loud"), ["low", "mid", "high"][at])
        for (a, b), at in zip(numbers, level, strict=True)
    ]
    write_csv(tmp_path / "day.csv", ["number", "note", "mood"], rows[:400])
    write_csv(tmp_path / "new.csv", ["number", "note", "mood"], rows[400:])
    kind = ("--target", "mood", "tasks.mood.kind=ordinal", "tasks.mood.order=[low,mid,high]")
    inspected, _, schema, printed, _, evaluated, _ = polymodal(
        env,
        ("inspect", "day.csv", *kind),
        ("init", "day.csv", *kind, "-o", "run.yaml"),
        ("schema",),
        ("train", "run.yaml", "-o", "run", "training.epochs=15", "data.split.kind=random"),
        ("predict", "run", "new.csv", "-o", "answers.csv", "--coverage", "0.95", "--abstain-below", "0.6"),
        ("evaluate", "run", "new.csv", "--robustness", "--json"),
        ("report", "run"),
    )
    assert "ordinal (requested); mid" in inspected
    assert "kind: ordinal" in (tmp_path / "run.yaml").read_text(encoding="utf-8")
    assert '"ordinal"' in schema
    assert "mood (ordinal)" in printed
    assert "mood: all fields kappa" in printed, "the finding is judged by the task's own metric"
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        answers = list(csv.DictReader(file))
    assert list(answers[0]) == ["row", "mood", "mood:low", "mood:mid", "mood:high", "mood:set", "present", "faults"]
    assert {row["mood"] for row in answers} == {"", "low", "mid", "high"}
    robust = json.loads(evaluated.splitlines()[0])
    assert robust["targets"]["mood"]["metric"] == "kappa"
    assert "mood: kappa" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    run(env, "-c", TASK_CHECK, str(tmp_path))
    meets_its_contract(env, "ordinal or count")


def test_the_task_of_numbers_of_the_recipe_reads_counts_and_returns_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is imported as a module of the package; the slow test above runs the contract tests of a copy with its menu lines."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", section("task of numbers"), flags=re.MULTILINE | re.DOTALL)
    path = tmp_path / "count.py"
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("polymodal.tasks.count", path)
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, recipe)  # where pydantic looks for names
    spec.loader.exec_module(recipe)
    config = recipe.CountConfig(column="calls", unit="calls")
    task = recipe.Count(config, recipe.Count.fit(config, ["0", "1,000", "n/a", "2", "-3", "1.5"], "here"))
    task.check()
    assert (task.state["mean"], task.unit, task.usual_metric, task.monitored({"rmse": 1.0})) == (334.0, "calls", "r2", "rmse")
    target = np.stack([task.encode(cell) for cell in ("0", "1,000", "2")])
    assert target.tolist() == [[0.0], [1000.0], [2.0]]
    for cell in ("-3", "1.5", "many"):
        with pytest.raises(Fault, match="expected a"):
            task.encode(cell)
    scores = task.scores(torch.zeros(3, 1)).numpy()
    assert scores.tolist() == [[334.0]] * 3, "a vote of nothing is the mean"
    slope = torch.zeros(3, 1, requires_grad=True)
    task.losses(slope, torch.from_numpy(target)).sum().backward()
    assert slope.grad is not None
    assert slope.grad.sum().item() == pytest.approx(0, abs=1e-5), "the mean is the best constant"
    assert float(task.constant_logits(torch.from_numpy(target))) == pytest.approx(0, abs=1e-3)
    errors = Errors.of({"rows": 20, "errors": [float(at) for at in range(20)]}, 5, "calls")
    assert sets(task, errors, scores - 330, [scores - 330], 0.5).tolist() == [[0.0, 14.0]] * 3
    with pytest.raises(DataError, match="no count above 0"):
        recipe.Count.fit(config, ["0", "0"], "here")
    with pytest.raises(ValueError, match="standard deviation of -1"):
        recipe.Count(config, {**task.state, "spread": -1}).check()


@pytest.mark.slow
def test_the_task_of_the_recipe_is_compared_by_its_own_metric(tmp_path: Path) -> None:
    env = followed(tmp_path, "task")
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 2))
    level = np.digitize(numbers.sum(1), [-0.8, 0.8])
    rows = [(f"{a:.3f}", sentence(rng, "calm" if b < 0 else "loud"), str(at)) for (a, b), at in zip(numbers, level, strict=True)]
    write_csv(tmp_path / "day.csv", ["number", "note", "mood"], rows)
    settings = (
        "--target",
        "mood",
        "tasks.mood.kind=ordinal",
        "training.epochs=4",
        "--fusion",
        "concat",
        "--also",
        "none",
        "--rounds",
        "2",
        "--trials",
        "1",
    )
    (printed,) = polymodal(env, ("compare", "day.csv", *settings, "-o", "compared", "--quiet"))
    assert "(kappa of the fusion and the single field that were chosen on the selection rows: concat 0." in " ".join(printed.split())
