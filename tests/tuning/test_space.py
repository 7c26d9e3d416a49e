"""The grammar of what is searched: what each text means, and the message about each text that means nothing."""

from __future__ import annotations

from typing import Any

import pytest

from builders import ROOT
from polymodal.errors import ConfigError
from polymodal.experiment import Experiment
from polymodal.tuning.space import Dimension, check, space_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.fusion.kind=concat,gated", Dimension("model.fusion.kind", ("concat", "gated"))),
        ("model.fusion.kind=[concat, gated]", Dimension("model.fusion.kind", ("concat", "gated"))),
        ("training.batch_size=16,32,null", Dimension("training.batch_size", (16, 32, None))),
        ("training.augment=true,false", Dimension("training.augment", (True, False))),
        ("model.encoders.photo.channels=[[8, 16], [16, 32]]", Dimension("model.encoders.photo.channels", ([8, 16], [16, 32]))),
        ("training.epochs=int:5..20", Dimension("training.epochs", (), "int", 5.0, 20.0)),
        ("training.epochs=int(5,20)", Dimension("training.epochs", (), "int", 5.0, 20.0)),
        ("model.width=int:16..64:16", Dimension("model.width", (), "int", 16.0, 64.0, 16.0)),
        ("model.dropout=float:0..0.5", Dimension("model.dropout", (), "float", 0.0, 0.5)),
        ("model.dropout=float(0, .5, 0.1)", Dimension("model.dropout", (), "float", 0.0, 0.5, 0.1)),
        ("training.lr=log:1e-4..1e-2", Dimension("training.lr", (), "log", 1e-4, 1e-2)),
        ("training.lr=log(1e-4,1e-2)", Dimension("training.lr", (), "log", 1e-4, 1e-2)),
        ("training.rates.标题=log:0.1..1", Dimension("training.rates.标题", (), "log", 0.1, 1.0)),
        ('training.rates."a.b"=0.1,1', Dimension('training.rates."a.b"', (0.1, 1))),
        ('training.rates."a=b"=0.1,1', Dimension('training.rates."a=b"', (0.1, 1))),
    ],
)
def test_what_a_text_means(text: str, expected: Dimension) -> None:
    assert space_of([text]) == space_of(text) == [expected]


def test_python_values() -> None:
    over = {"training.lr": "log:1e-4..1e-2", "model.fusion.kind": ["concat", "gated"], "training.patience": (None, 3)}
    assert space_of(over) == [
        Dimension("training.lr", (), "log", 1e-4, 1e-2),
        Dimension("model.fusion.kind", ("concat", "gated")),
        Dimension("training.patience", (None, 3)),
    ]


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ([], "over: nothing to search"),
        (["training.lr"], "over: 'training.lr'; expected PATH=VALUES"),
        (["=1,2"], "expected PATH=VALUES"),
        (
            ["training.lr=0.1"],
            "over: training.lr: 1 value; expected two or more to choose from; set it for all trials without --over: training.lr=0.1",
        ),
        (["training.lr="], "over: training.lr: 0 value"),
        (["training.lr=log:1e-4"], "over: training.lr=log:1e-4: not a range; expected values such as concat,gated"),
        (["training.lr=1e-4..1e-2"], "over: training.lr=1e-4..1e-2: not a range"),
        (["training.lr=uniform(0,1)"], "not a range"),
        (["training.lr=log:0..1"], "over: training.lr=log:0..1: 0 has no logarithm; expected positive numbers; write float:0..1"),
        (["training.lr=log:1e-2..1e-4"], "the low end 1e-2 is not below the high end 1e-4"),
        (["training.lr=log:1..2:1"], "a logarithmic range has no step"),
        (["training.lr=float:0..1e999"], "a number is too large"),
        (["training.epochs=int:1.5..3"], "expected whole numbers; write float:1.5..3"),
        (["model.width=int:16..64:0"], "the step 0 does not fit in the range"),
        (["model.width=int:16..64:100"], "the step 100 does not fit in the range"),
        (["model.fusion.kind=concat,concat"], 'over: model.fusion.kind: "concat" is given twice'),
        (["training.lr=[1, 2"], "not valid YAML"),
        (["training.lr=1,2", "training.lr=3,4"], "over: training.lr is given twice"),
        (["training.lrr=1,2"], "over: training.lrr: no such setting; did you mean 'training.lr'?"),
        (["训练.lr=1,2"], "over: 训练.lr: no such setting"),
        (["data.split.valid=0.1,0.2"], "over: data.split.valid: must be the same in all trials"),
        (["training.time_limit=1,2"], "must be the same in all trials"),
        (["tasks.label.metric=accuracy,log_loss"], "over: tasks.label.metric: it determines what is measured"),
        ({"training.lr": 3}, "over: training.lr: found 3"),
        ({3: [1, 2]}, "over: 3; expected the path of a setting as text"),
    ],
)
def test_the_message_about_what_cannot_be_searched(over: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space_of(over)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("training.lr=1,2,3", 3), ("training.epochs=int:5..20", 16), ("model.width=int:16..64:16", 4), ("model.dropout=float:0..0.5:0.1", 6),
     ("model.dropout=float:0..0.5", float("inf")), ("training.lr=log:1e-4..1", float("inf"))],
)  # fmt: skip
def test_the_number_of_values(text: str, size: float) -> None:
    assert space_of([text])[0].size == size


def test_a_number_has_few_digits_and_stays_in_its_range() -> None:
    (one,) = space_of(["training.lr=log:1e-4..1.23456789e-2"])
    assert one.rounded(0.001234567891) == 0.00123457
    assert one.rounded(1.23456788e-2) == 1.23456789e-2


def test_values_that_can_never_be_valid_are_found_before_the_first_trial() -> None:
    base = Experiment.of({"fields": {"a": {"kind": "text", "column": "a"}}, "tasks": {"y": {"kind": "binary", "column": "y"}}})
    check(space_of(["training.lr=log:1e-4..1", "model.fusion.kind=concat,gated"]), base)
    for text, message in (
        ("training.lr=-1,0.1", "training.lr: found -1"),
        ("model.fusion.kind=concat,nothing", "model.fusion.kind"),
        ("training.rates.b=0.1,1", "no such field"),
    ):
        with pytest.raises(ConfigError) as caught:
            check(space_of([text]), base)
        assert message in str(caught.value)
    with pytest.raises(ConfigError, match=r"model\.fusion\.rank"):
        check(space_of(["model.fusion.rank=2,4", "model.fusion.kind=concat,gated"]), base)
    check(space_of(["model.fusion.rank=2,4", "model.fusion.kind=lowrank,gated"]), base)  # valid for one of the fusions


def test_the_page_describes_the_grammar() -> None:
    page = (ROOT / "docs" / "howto" / "tune.md").read_text(encoding="utf-8")
    for text in ("concat,gated", "int:5..20", "float:0..0.5", "log:1e-4..1e-2", "int:16..64:16"):
        assert text in page
