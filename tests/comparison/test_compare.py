"""Tests of ``compare``: known answers, rows that choose and never measure, resuming, and refused arguments."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import multiprocessing
import os
import re
import signal
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

import polymodal as pm
from builders import ROOT
from builders.comparisons import judged_from
from builders.tables import write_csv
from polymodal.cli.compare import summary
from polymodal.cli.main import main
from polymodal.cli.output import plain_text
from polymodal.comparison import resume_compare
from polymodal.comparison.contenders import Contender, contenders
from polymodal.comparison.grid import LOG, Cell, Grid
from polymodal.comparison.resampling import Rounds, dealt
from polymodal.comparison.result import ComparisonResult
from polymodal.comparison.schedule import Course, _going, _one_more
from polymodal.data.sources import open_source
from polymodal.errors import TrainingError
from polymodal.evaluation.paired import Difference, against, chosen, paired
from polymodal.experiment import Experiment
from polymodal.inspection.infer import infer
from polymodal.preparation import prepare
from polymodal.training.events import CellEvent

QUICK = ("training.epochs=12", "model.width=16", "training.lr=0.01")


def table(path: Path, label: Callable[[int, int], Any], rows: int = 200, seed: int = 0) -> Path:
    """Two fields, a text and a number, that tell one bit each; the label is made of the bits."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(rows):
        one, two = int(rng.integers(2)), int(rng.integers(2))
        words = " ".join(rng.choice(["alpha", "beta"] if one else ["gamma", "delta"], 3))
        lines.append([words, f"{2 * two - 1 + rng.normal(0, 0.2):.3f}", label(one, two)])
    return write_csv(path, ["say", "size", "label"], lines)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["compare", "--column", "say=text", *map(str, words)])


# -- the interval --------------------------------------------------------------------------------------------------------


def test_a_difference_is_the_mean_over_all_rows_and_its_interval_is_of_clusters_and_rounds() -> None:
    rng = np.random.default_rng(0)
    first = [(rng.random(200) < 0.8).astype(float) for _ in range(4)]
    second = [(rng.random(200) < 0.5).astype(float) for _ in range(4)]
    rows = [np.arange(200) + 200 * at for at in range(4)]
    found = paired(first, second, rows)
    assert found.mean == pytest.approx(np.mean(first) - np.mean(second))
    assert 0.1 < found.low < found.mean < found.high < 0.5
    turned = paired(second, first, rows)
    assert turned.mean == -found.mean
    assert paired(first, first, rows) == Difference(0.0, 0.0, 0.0)
    ten = [of // 10 for of in rows]
    same = [np.repeat(part[::10], 10) for part in first], [np.repeat(part[::10], 10) for part in second]
    assert paired(*same, ten).high - paired(*same, ten).low > 1.5 * (found.high - found.low), "ten rows alike are one row's worth"
    for rounds in (1, 2):
        few = paired(first[:rounds], second[:rounds], rows[:rounds])
        assert (few.low, few.high) == (-np.inf, np.inf), "fewer than three rounds cannot tell what training leaves to chance"


def test_these_models_may_be_known_to_differ_where_retrained_ones_are_not() -> None:
    """Two rounds leave much to chance in training; that what was trained beats a constant answer hangs on the rows alone."""
    rng = np.random.default_rng(0)
    model = [(rng.random(400) < share).astype(float) for share in (0.5, 0.6)]
    nothing, rows = [np.zeros(400)] * 2, [np.arange(400), np.arange(400, 800)]
    assert against({"m": model}, nothing, rows)["m"].low < 0
    found = against({"m": model}, nothing, rows, retrained=False)["m"]
    assert 0.48 < found.low < found.mean < found.high < 0.62
    assert against({"m": model[:1]}, nothing[:1], rows[:1], retrained=False)["m"].low > 0.4


def test_the_interval_of_what_was_chosen_holds_what_might_have_been() -> None:
    """Two fusions that the choosing rows cannot tell apart, one of which is better: the choice is part of the interval. Where they can, it
    is the interval of the one."""
    rng = np.random.default_rng(0)
    rows = [np.arange(2_000) + 2_000 * at for at in range(5)]
    nothing = {"only x": [np.zeros(2_000)] * 5}
    fused = {name: [(rng.random(2_000) < share).astype(float) for _ in rows] for name, share in (("a", 0.1), ("b", 0.2))}
    worth = {"only x": [0.0] * 5, "a": [0.51, 0.48, 0.52, 0.47, 0.55], "b": [0.5, 0.49, 0.51, 0.48, 0.52]}
    found = chosen(fused, nothing, worth, rows)
    alone = against(fused, nothing["only x"], rows)
    assert found.mean == pytest.approx(alone["a"].mean), "the one with the best mean is the one that is told"
    assert found.low == pytest.approx(alone["a"].low, abs=0.01)
    assert found.high == pytest.approx(alone["b"].high, abs=0.01)
    clear = chosen(fused, nothing, {**worth, "a": [0.6] * 5}, rows)
    assert (clear.low, clear.high) == (alone["a"].low, alone["a"].high)
    one = {name: part[:1] for name, part in fused.items()}
    assert chosen(one, {"only x": nothing["only x"][:1]}, {name: part[:1] for name, part in worth.items()}, rows[:1]).low == -np.inf


def test_the_interval_seldom_excludes_nothing_where_there_is_nothing() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for at in range(50):
        rounds = [rng.choice([1.0, 0.0, -1.0], 60, p=[0.2, 0.6, 0.2]) for _ in range(5)]
        found = paired(rounds, [np.zeros(60)] * 5, [np.arange(60) + 60 * one for one in range(5)], seed=at)
        wrong += not found.low <= 0 <= found.high
    assert wrong <= 3


# -- rows ----------------------------------------------------------------------------------------------------------------


def rounds_of(path: Path, folder: Path, rounds: int, *overrides: str, **settings: Any) -> tuple[Rounds, Any]:
    source = open_source(path)
    given = {"columns": {"say": "text"}, "ignore": (), "group": None, "split": None, **settings}
    experiment, _, _ = infer(
        source, ["label"], [f"data.table={path}", *overrides], given=given.pop("columns"), tree={}, **given
    )  # fmt: skip
    folder.mkdir()
    experiment = dealt(experiment, source, rounds)
    prepared = prepare(experiment, source, None, folder)
    found = Rounds.of(prepared, rounds)
    prepared.close()
    return found, prepared


def test_rows_that_choose_never_measure_and_every_other_row_measures_once(tmp_path: Path) -> None:
    found, _ = rounds_of(table(tmp_path / "t.csv", lambda one, two: one), tmp_path / "r", 5)
    measured = np.concatenate(found.measure)
    assert len(set(measured)) == len(measured)
    assert sorted([*measured, *found.choose]) == list(range(200))
    for train, measure in zip(found.train, found.measure, strict=True):
        assert not set(train) & (set(measure) | set(found.choose))
    part_N = found.split(1, 50, 0).part_N
    assert set(np.flatnonzero(part_N == 0)) <= set(found.train[1])
    assert set(np.flatnonzero(part_N == 1)) <= set(found.choose)
    assert 40 <= (part_N == 0).sum() <= 50


def test_a_group_stays_on_one_side(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=120)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [[*row, at // 4] for at, row in enumerate(list(csv.reader(file))[1:])]
    write_csv(path, ["say", "size", "label", "person"], rows)
    found, _ = rounds_of(path, tmp_path / "r", 3, group="person")
    person_N = np.arange(120) // 4
    for train, measure in zip(found.train, found.measure, strict=True):
        assert not set(person_N[train]) & (set(person_N[measure]) | set(person_N[found.choose]))
    assert len(np.unique(found.cluster_N)) == 30


def test_a_column_that_says_which_rows_are_for_what_is_obeyed(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=100)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [[*row, ("train", "train", "train", "valid", "test")[at % 5]] for at, row in enumerate(list(csv.reader(file))[1:])]
    write_csv(path, ["say", "size", "label", "part"], rows)
    found, _ = rounds_of(path, tmp_path / "r", 3, split="part")
    assert all(list(part) == list(range(4, 100, 5)) for part in found.measure)
    assert list(found.choose) == list(range(3, 100, 5))
    write_csv(path, ["say", "size", "label", "part"], [[*row[:3], "valid" if row[3] == "test" else row[3]] for row in rows])
    result = run(path, "--target", "label", "--split", "part", "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert "no row has the value test" in result.output
    assert not (tmp_path / "o").exists()


# -- known answers -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_xor_products_help_sums_stay_at_chance_and_the_best_configuration_trains(tmp_path: Path) -> None:
    path, out = table(tmp_path / "<script>alert(1)<.csv", lambda one, two: "no" if one == two else "yes"), tmp_path / "o"
    result = run(
        path, "--target", "label", *QUICK, "--fusion", "concat", "--fusion", "lowrank", "--trials", 2, "--rounds", 5, "-o", out, "--quiet",
        "--also", "none",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    told = found["targets"]["label"]
    assert told["best_fused"] == "lowrank"
    assert told["verdict"] == "helps"
    assert told["contenders"]["lowrank"]["mean"] > 0.95
    assert told["contenders"]["lowrank"]["difference"]["low"] > 0.2
    assert told["contenders"]["concat"]["mean"] < 0.65
    assert "fusing helps here" in told["sentence"]
    assert told["sentence"] in " ".join(result.output.split())
    assert {one["rounds"] for one in found["contenders"].values()} == {5}
    page = (out / "compare.html").read_text(encoding="utf-8")
    assert "<script" not in page
    HTMLParser().feed(page)
    best = Experiment.read(out / "best.yaml")
    assert best.model.fusion.kind == "lowrank"
    assert best.data.split.kind == "auto", "the split that was asked for, not that of the rounds"
    assert pm.train(best).metrics["validation"]["tasks"]["label"]["accuracy"] > 0.95


@pytest.mark.slow
def test_where_one_field_tells_all_fusing_is_not_said_to_help_and_of_shuffled_labels_nothing_is_said(tmp_path: Path) -> None:
    common = ("--fusion", "concat", "--fusion", "lowrank", "--also", "none", "--trials", 1, "--rounds", 3, "--quiet", "--json")
    one = json.loads(
        run(table(tmp_path / "one.csv", lambda one, two: one), "--target", "label", *QUICK, *common, "-o", tmp_path / "a").stdout
    )
    assert one["targets"]["label"]["best_alone"] == "only say"
    assert one["targets"]["label"]["verdict"] != "helps"
    assert one["targets"]["label"]["learned"]
    rng = np.random.default_rng(5)
    path = table(tmp_path / "shuffled.csv", lambda one, two: int(rng.integers(2)))
    none = json.loads(run(path, "--target", "label", *QUICK, *common, "-o", tmp_path / "b").stdout)["targets"]["label"]
    assert none["verdict"] in ("undecided", "no difference")
    assert "no evidence that fusing helps" in none["sentence"]
    assert "no evidence that any field predicts 'label'" in none["sentence"]


@pytest.mark.slow
def test_of_a_sum_products_are_not_better_than_sums_and_fusing_helps(tmp_path: Path) -> None:
    """Both fields are needed, and nothing but their sum: the fusion without products loses nothing."""
    rng = np.random.default_rng(3)
    path = table(tmp_path / "sum.csv", lambda one, two: f"{3 * one + 2 * two + rng.normal(0, 0.1):.3f}")
    words = ("--fusion", "concat", "--fusion", "lowrank", "--also", "none", "--trials", 1, "--rounds", 3, "--quiet", "--json")
    told = json.loads(run(path, "--target", "label", *QUICK, "training.epochs=40", *words, "-o", tmp_path / "o").stdout)["targets"]["label"]
    assert told["metric"] == "r2"
    assert told["verdict"] == "helps"
    assert told["best_alone"] == "only say", "it tells 9 parts of 13 of the variance"
    assert told["contenders"]["only say"]["mean"] == pytest.approx(9 / 13, abs=0.1)
    assert told["contenders"]["concat"]["mean"] > 0.93
    assert abs(told["contenders"]["concat"]["mean"] - told["contenders"]["lowrank"]["mean"]) < 0.03


@pytest.mark.slow
def test_where_a_shortcut_stops_a_field_balancing_is_compared_and_helps(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("balance_benchmark", ROOT / "benchmarks" / "balance.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    made = benchmark.shortcut(np.random.default_rng(0), 800)
    path = write_csv(tmp_path / "t.csv", list(made), list(zip(*made.values(), strict=True)))
    strong = "training.balance={kind: ogm_ge, alpha: 2}"
    words = (
        path, "--target", "y", "--column", "text=text", *benchmark.SETTINGS[2:], *benchmark.BARE, "--fusion", "concat", "--also", strong, "--trials", 1,
        "--rounds", 5, "-o", tmp_path / "o",
    )  # fmt: skip
    result = CliRunner().invoke(main, ["compare", *map(str, words)])
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "o" / "compare.json").read_bytes())["targets"]["y"]
    balanced = f"concat + {strong}"
    assert told["best_alone"] == "only columns"
    assert told["contenders"]["concat"]["difference"]["mean"] < -0.05, "unbalanced, fusing harms"
    assert told["best_fused"] == balanced
    change = told["contenders"][balanced]["change"]
    assert change["of"] == "concat"
    assert change["difference"]["low"] > 0.03
    assert f"{balanced} against concat: +" in " ".join(result.output.split())
    assert f"{balanced} against concat: +" in (tmp_path / "o" / "compare.html").read_text(encoding="utf-8")


# -- going on ------------------------------------------------------------------------------------------------------------


TINY = ("training.epochs=1", "model.width=8")
_OWN = ("seconds", "spent")


def plain(found: Any) -> Any:
    """Without what the clock says."""
    if isinstance(found, dict):
        return {key: plain(value) for key, value in found.items() if key not in _OWN}
    return [plain(value) for value in found] if isinstance(found, list) else found


def compare(path: Path, out: Path | None, **settings: Any) -> dict[str, Any]:
    return pm.compare(
        path, *TINY, target="label", columns={"say": "text"}, fusions=["concat", "late"], trials=2, rounds=2, out=out,
        **{"also": [], **settings},
    )  # fmt: skip


def test_a_comparison_that_was_killed_goes_on_where_it_was_and_finds_the_same(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=80)
    whole = compare(path, tmp_path / "whole", jobs=2)
    assert plain(compare(path, None, jobs=1)) == plain(whole), "the same seed, the same figures, however many train at a time"
    lines = (tmp_path / "whole" / LOG).read_bytes().split(b"\n")
    compare(path, tmp_path / "killed")
    (tmp_path / "killed" / LOG).write_bytes(b"\n".join(lines[:8]) + b"\n" + lines[8][:20])
    (tmp_path / "killed" / "compare.json").unlink()
    assert plain(resume_compare(tmp_path / "killed")) == plain(whole)
    assert plain(json.loads((tmp_path / "killed" / "compare.json").read_bytes())) == plain(whole)
    rest = (tmp_path / "killed" / LOG).read_bytes().split(b"\n")
    assert len(rest) == len(lines)
    with path.open("a", encoding="utf-8") as file:
        file.write("alpha,0.3,1\n")
    with pytest.raises(pm.UserError, match="not as it was when the comparison began"):
        resume_compare(tmp_path / "killed")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_signal_ends_it_with_what_was_done_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    from polymodal.comparison import api
    from polymodal.runs import Interrupted
    from polymodal.runs.signals import Stop

    class Asking(Stop):
        seen = 0

        @property
        def requested(self) -> bool:
            type(self).seen += self.gently
            return type(self).seen > (20 if jobs == 1 else 4)

    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=80)
    with monkeypatch.context() as patched:
        patched.setattr(api, "Stop", Asking)
        with pytest.raises(Interrupted):
            compare(path, tmp_path / "o", jobs=jobs)
    assert not multiprocessing.active_children()
    kept = (tmp_path / "o" / LOG).read_bytes().count(b'"cell"')
    assert kept > 0
    assert not (tmp_path / "o" / "compare.json").exists()
    assert plain(resume_compare(tmp_path / "o")) == plain(compare(path, None))


def test_under_a_time_limit_every_contender_has_the_same_trials_and_the_single_fields_stay(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=150)
    names = ["concat", "lowrank", "late", "gated", "mixture"]
    found = pm.compare(
        path, *TINY, target="label", columns={"say": "text"}, fusions=names, also=[], trials=4, rounds=3, time_limit=20,
        out=tmp_path / "o",
    )  # fmt: skip
    told = found["contenders"]
    assert {told["only say"]["rounds"], told["only columns"]["rounds"]} == {found["rounds"]}
    assert 2 <= sum(told[name]["rounds"] > 0 for name in names) <= 3
    assert told["lowrank"]["rounds"], "the experiment's own fusion is never dropped"
    searched = [json.loads(line)["cell"] for line in (tmp_path / "o" / LOG).read_bytes().splitlines() if b'"cell"' in line]
    counts = {name: sum(cell["contender"] == name and cell["stage"] == "search" for cell in searched) for name in told}
    assert set(counts.values()) == {found["trials"]}
    page = (tmp_path / "o" / "compare.html").read_text(encoding="utf-8")
    assert "left out after the search" in page


@pytest.mark.parametrize(("left", "others"), [(1e4, ["b", "a", "c"]), (140.0, ["a", "c"]), (110.0, ["a"]), (1.0, ["a"])])
def test_fusions_give_way_so_that_three_rounds_fit(left: float, others: list[str]) -> None:
    """The worst first; never the experiment's own, the best of the others, or a single field. Each takes some ten seconds a round."""
    every = [Contender("only say", "say"), Contender("lowrank"), *(Contender(name, overrides=("x=1",)) for name in ("b", "a", "c"))]
    grid: Any = SimpleNamespace(
        jobs=1, clock=SimpleNamespace(limit=0.0, left=left), rounds=SimpleNamespace(measure=[np.arange(40)]), epochs=lambda rows: 10,
        choosing=lambda rows: 40,
    )  # fmt: skip
    course = Course(search_rows=100)
    for one, goodness in zip(every, (0.9, 0.1, 0.5, 0.7, 0.6), strict=True):
        course.search[one.name] = Cell(one.name, "search", 0, 0, rows=100, epochs=10, ran=9, seconds=9.8, goodness=goodness)
    assert _going(grid, every, course, 3) == ["only say", "lowrank", *others]


@pytest.mark.parametrize(("left", "more"), [(36.0, True), (32.0, False)])
def test_another_round_is_begun_where_it_ends_in_time_beside_what_runs(left: float, more: bool) -> None:
    """Ten seconds a training, two at a time; one runs since four: ends at 6, 10, 16, 20, 26 and 30 (with a tenth to be safe, 33)."""
    going = [Contender("only say", "say"), *(Contender(name) for name in ("lowrank", "a", "b", "c"))]
    cells = {str(at): Cell(one.name, "round", 0, 0, seconds=10.0) for at, one in enumerate(going)}
    grid: Any = SimpleNamespace(
        jobs=2, clock=SimpleNamespace(limit=0.0, left=left), rounds=SimpleNamespace(measure=[np.arange(40)]), running=[("c", 4.0)],
        log=SimpleNamespace(cells=cells),
    )  # fmt: skip
    assert _one_more(grid, going, Course(), 1) is more


def test_a_contender_that_fails_in_a_round_is_reported_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=90)
    original = Grid._trained

    def trained(self: Grid, cell: Cell, contender: Contender, *rest: Any) -> Cell:
        if cell.contender == "gated" and cell.stage == "round" and cell.round == 1:
            raise TrainingError("its loss is not finite")
        return original(self, cell, contender, *rest)

    monkeypatch.setattr(Grid, "_trained", trained)
    results = pm.compare(
        path, *TINY, target="label", columns={"say": "text"}, fusions=["concat", "gated"], also=[], trials=1, rounds=2, jobs=1
    )
    assert results["contenders"]["gated"]["failed"] == "its loss is not finite"
    assert "gated" not in results["targets"]["label"]["contenders"]
    assert "gated: training failed: its loss is not finite" in plain_text(summary(results))
    assert "nan" not in plain_text(summary(results))


def test_a_fusion_that_cannot_be_tried_out_does_not_keep_a_comparison_from_being_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polymodal.ensemble.trials import try_out

    tried = []

    def failing(trainer: Any, name: str, seconds: float) -> Any:
        tried.append(trainer.experiment.model.fusion.kind)
        if len(tried) == 1:
            raise TrainingError("its loss is not finite")
        return try_out(trainer, name, seconds)

    monkeypatch.setattr("polymodal.comparison.schedule.try_out", failing)
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=90)
    said = pm.compare(
        path, *TINY, target="label", columns={"say": "text"}, fusions=["concat", "gated"], also=[], trials=1, rounds=2, time_limit=60
    )
    assert tried == ["concat", "gated"]
    assert set(said["targets"]["label"]["contenders"]) == {"only say", "only columns", "concat", "gated"}


def test_the_best_configuration_is_the_one_that_the_sentence_advises() -> None:
    rng = np.random.default_rng(0)
    good, poor = (rng.random((3, 200)) < 0.9).astype(float), (rng.random((3, 200)) < 0.5).astype(float)
    harms, helps = judged_from(good, poor), judged_from(poor, good)
    assert harms["targets"]["label"]["verdict"] == "harms"
    assert "take only say" in harms["targets"]["label"]["sentence"]
    assert harms["best"] == "only say"
    assert (helps["targets"]["label"]["verdict"], helps["best"]) == ("helps", "concat")


def test_the_sentence_states_which_single_field_was_chosen_and_which_one_measured_better() -> None:
    rng = np.random.default_rng(0)
    chosen, better = (rng.random((3, 200)) < 0.7).astype(float), (rng.random((3, 200)) < 0.8).astype(float)
    fused = (rng.random((3, 200)) < 0.75).astype(float)
    told = judged_from(chosen, fused, other=better)["targets"]["label"]
    shown = {name: f"{100 * one['mean']:.1f} %" for name, one in told["contenders"].items()}
    assert (told["best_alone"], told["other_alone"]) == ("only say", "only size")
    assert told["contenders"]["only size"]["difference"]["mean"] > 0.05
    assert (
        "(accuracy of the fusion and the single field that were chosen on the selection rows: "
        f"concat {shown['concat']}, only say {shown['only say']}; 95 % interval"
    ) in told["sentence"]
    assert f". only size, which was not chosen, has {shown['only size']}. It rests on 3 rounds" in told["sentence"]
    assert "600 rows in all rounds together, none of which selected anything. 40 further rows selected epochs" in told["sentence"]
    same = judged_from(better, fused, other=chosen)["targets"]["label"]
    assert same["other_alone"] is None
    assert "which was not chosen" not in same["sentence"]


def test_a_result_prints_as_a_summary_and_has_its_keys_as_attributes() -> None:
    rng = np.random.default_rng(0)
    alone, fused = (rng.random((3, 200)) < 0.7).astype(float), (rng.random((3, 200)) < 0.9).astype(float)
    result = ComparisonResult({"table": "t.csv", **judged_from(alone, fused, other=fused)})
    assert (result.best, result.targets) == ("concat", result["targets"])
    with pytest.raises(AttributeError, match="no attribute 'target'; it has table, choose, best, targets"):
        _ = result.target
    lines = repr(result).splitlines()
    told = result.targets["label"]
    assert lines[0] == "label: measured on 600 rows over 3 rounds"
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("only say *") for line in lines)
    assert any(re.match(r"concat \* +0\.9\d+ ± 0\.\d+ +\+0\.\d+ +\+0\.\d+ to \+0\.\d+", line) for line in lines)
    assert any(line.startswith("only size  ") for line in lines), "not chosen, so without a mark"
    assert told["sentence"] in " ".join(repr(result).split())
    assert result._repr_html_().count("<table>") == 1
    hostile = ComparisonResult({"targets": {"<b>\x1b": {**told, "sentence": "<script>"}}})
    assert "<script>" not in hostile._repr_html_()
    assert "\x1b" not in repr(hostile)
    assert "nothing to compare" in repr(ComparisonResult({"targets": {}}))
    assert json.loads(json.dumps(result)) == result


def test_a_bar_that_nobody_reads_any_more_stops_nothing() -> None:
    class Closed(io.StringIO):
        lines = 0

        def write(self, text: str) -> int:
            self.lines += 1
            raise BrokenPipeError(32, "Broken pipe")

    stream = Closed()
    console = pm.Console(stream)
    for done in (1, 2):
        console.observe(CellEvent("round", "concat", 0, 0, worth=0.5, scores={"y": 0.5}, done=done, total=2, seconds=1.0, failed=""))
    assert stream.lines == 1


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--fusion", "concart"], "did you mean 'concat'"),
        (["--ignore", "say"], "expected two or more to fuse"),
        (["data.valid=t.csv"], "leave it out"),
        (["--also", "model.nothing=1", "--fusion", "concat"], "unknown setting"),
        (["--fusion", "evidential", "tasks.label.kind=regression"], "evidential"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(tmp_path: Path, words: list[str], told: str) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=60)
    result = run(path, "--target", "label", *TINY, *(word.replace("t.csv", str(path)) for word in words), "-o", tmp_path / "o")
    assert result.exit_code == 2, result.output
    assert told in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "o").exists()


def test_a_mistake_takes_nothing_away_from_what_it_would_have_replaced(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=90)
    out = tmp_path / "o"
    words = ["--target", "label", *TINY, "--rounds", 2, "--trials", 1, "--also", "none", "training.rates={say: 0.5}", "-o", out]
    assert run(path, "--fusion", "concat", *words).exit_code == 0
    (out / "mine.txt").touch()
    before = {one.name: one.read_bytes() for one in out.iterdir()}
    for mistake in (["--fusion", "concart"], ["--fusion", "concat", "model.nothing=1"]):
        assert run(path, *mistake, *words, "--overwrite").exit_code == 2
        assert {one.name: one.read_bytes() for one in out.iterdir()} == before
    best = pm.Experiment.read(out / "best.yaml")
    assert set(best.training.rates) <= set(best.fields), "what is said of a field goes with it"
    assert run(path, "--fusion", "gated", *words, "--overwrite").exit_code == 0
    assert (out / "mine.txt").exists()


def test_too_few_rows_and_folders_that_are_no_comparison_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one, rows=5)
    assert "too few" in run(path, "--target", "label", "--rounds", 8, "-o", tmp_path / "o").output
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    result = run(path, "--target", "label", "-o", tmp_path / "full", "--overwrite")
    assert result.exit_code == 2
    assert (tmp_path / "full" / "mine").exists()
    assert "beside --resume" in run("--resume", tmp_path / "full").output
    resumed = CliRunner().invoke(main, ["compare", "--resume", str(tmp_path / "full")])
    assert resumed.exit_code == 2
    assert "no comparison to go on with (asked.json: No such file or directory)" in resumed.output
    assert run("--target", "label").exit_code == 2


def test_a_contender_whose_training_fails_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.comparison.grid import Grid
    from polymodal.errors import TrainingError

    find = Grid._trained

    def failing(self: Grid, cell: Any, contender: Any, *rest: Any) -> Any:
        if contender.name == "late":
            raise TrainingError("the loss is nan")
        return find(self, cell, contender, *rest)

    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=80)
    with monkeypatch.context() as patched:
        patched.setattr(Grid, "_trained", failing)
        found = compare(path, tmp_path / "o")
        assert found["contenders"]["late"]["failed"] == "the loss is nan"
        assert found["targets"]["label"]["best_fused"] == "concat"
        assert "the loss is nan" in (tmp_path / "o" / "compare.html").read_text(encoding="utf-8")
        assert plain(resume_compare(tmp_path / "o")) == plain(found), "what failed is remembered"


def test_every_fusion_takes_part_once_more_under_other_settings_unless_it_refuses_them(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=80)
    balanced = "training.balance.kind=gradient_blending"
    found = compare(path, None, also=[balanced])
    assert found["contenders"][f"concat + {balanced}"]["rounds"] == 2
    assert "late" in found["contenders"]
    assert "late" in found["refused"][f"late + {balanced}"], "its votes are all there is to balance"


def test_the_default_fusion_takes_part_once_more_with_balancing_or_without_it() -> None:
    fields = {name: {"kind": "tabular", "columns": [name]} for name in "ab"}
    experiment = pm.Experiment(data={"table": "t.csv"}, fields=fields, tasks={"y": {"kind": "binary", "column": "y"}})
    balanced = pm.Experiment(**{**experiment.tree(), "training": {"balance": {"kind": "ogm_ge"}}})
    for given, label, settings in (
        (experiment, "balance ogm_ge", "training.balance.kind=ogm_ge"),
        (balanced, "balance none", "training.balance.kind=none"),
    ):
        (more,) = [one for one in contenders(given, None, None)[0] if one.of]
        assert more.name == f"{more.of} + {label}"
        assert more.overrides[-1] == settings


def test_a_process_that_was_killed_is_told_and_the_rest_goes_on_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.comparison.grid import Grid

    find = Grid._trained

    def killed(self: Grid, cell: Any, contender: Any, *rest: Any) -> Any:
        if contender.name == "late":
            os.kill(os.getpid(), signal.SIGKILL)
        return find(self, cell, contender, *rest)

    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=80)
    with monkeypatch.context() as patched:
        patched.setattr(Grid, "_trained", killed)
        with pytest.raises(pm.UserError, match=r"^late, search: its training was ended by SIGKILL .*jobs=1"):
            compare(path, tmp_path / "o", jobs=2)
    assert not multiprocessing.active_children()
    assert plain(resume_compare(tmp_path / "o", jobs=1)) == plain(compare(path, None))


def test_what_a_process_says_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.comparison.grid import Grid
    from polymodal.training.events import Event, WarningEvent
    from polymodal.training.observers import Observer

    find, heard = Grid._trained, []

    class Hearing(Observer):
        def observe(self, event: Event) -> None:
            if isinstance(event, WarningEvent):
                heard.append(event.text)

    def talking(self: Grid, cell: Any, contender: Any, rows: int, measured: bool, warn: Any, stop: Any) -> Any:
        warn(f"{contender.name} 说")
        if contender.name == "late":
            raise ZeroDivisionError("nothing is left")
        return find(self, cell, contender, rows, measured, warn, stop)

    path = table(tmp_path / "t.csv", lambda one, two: one + two, rows=80)
    monkeypatch.setattr(Grid, "_trained", talking)
    with pytest.raises(RuntimeError, match=r"late, search(?s:.)*ZeroDivisionError: nothing is left"):
        compare(path, None, jobs=2, observers=[Hearing()])
    assert "only say 说" in heard
    assert "late 说" in heard


# -- boosted trees -------------------------------------------------------------------------------------------------------


def test_the_default_fusion_takes_part_once_more_with_trees_and_is_not_the_best_fusion(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: "yes" if one == two else "no", rows=600)
    small = ("model.trees.rounds=20", "model.trees.bags=2", "model.trees.boosters=1")
    words = ("--target", "label", *QUICK[1:], "training.epochs=2", *small, "--fusion", "concat", "--trials", 1, "--rounds", 2)
    result = run(path, *words, "-o", tmp_path / "o")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "o" / "compare.json").read_bytes())
    target = found["targets"]["label"]
    assert "concat + trees" in target["contenders"]
    assert target["contenders"]["concat + trees"]["change"]["of"] == "concat"
    assert target["contenders"]["concat + trees"]["mean"] > 0.9, "trees learn whether both bits are equal in two epochs' time"
    assert target["best_fused"].startswith("concat")
    assert "trees" not in target["best_fused"]
    best = Experiment.of(yaml.safe_load((tmp_path / "o" / "best.yaml").read_text(encoding="utf-8")))
    assert (best.model.trees is not None) == (found["best"] == "concat + trees")


def test_where_a_round_has_too_few_rows_for_trees_the_reason_is_given(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", lambda one, two: "yes" if one == two else "no", rows=210)
    words = ("--target", "label", *QUICK[1:], "training.epochs=1", "--fusion", "concat", "--trials", 1, "--rounds", 2)
    assert run(path, *words, "-o", tmp_path / "o").exit_code == 0
    refused = json.loads((tmp_path / "o" / "compare.json").read_bytes())["refused"]
    assert "trees need 200" in refused["concat + trees"]
