"""Charts: axes with round ticks whose texts differ, the lines of folds, and the confusion matrix of many classes."""

from __future__ import annotations

import re

import pytest

from polymodal.language import Words
from polymodal.pages import charts, confusion
from polymodal.pages.axes import Axis
from polymodal.pages.confusion import shortened

EVIL = "<script>alert(1)</script>"
ENGLISH = Words("en")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0.0, 0.93], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([0.3478, 0.3461], ["0.346", "0.3465", "0.347", "0.3475", "0.348"]),
        ([0.4417, 1.0], ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"]),
        ([1, 14], ["0", "5", "10", "15"]),
        ([1, 2], ["1", "2"]),
        ([1, 6], ["1", "2", "3", "4", "5", "6"]),
        ([-0.6, 1.87e6], ["-500k", "0", "500k", "1M", "1.5M", "2M"]),
        ([-3.0, -1.1], ["-3", "-2.5", "-2", "-1.5", "-1"]),
        ([5.0, 5.0001], ["5", "5.00002", "5.00004", "5.00006", "5.00008", "5.0001"]),
        ([1.0, 1.0], ["0", "1"]),
        ([-2.5], ["-2.5", "-2", "-1.5", "-1", "-0.5", "0"]),
        ([0.0], ["0", "1"]),
        ([], ["0", "1"]),
        ([float("nan"), float("inf"), 2.0, 3.0], ["2", "3"]),
    ],
)
def test_an_axis_begins_and_ends_at_round_ticks_whose_texts_differ(numbers: list[float], expected: list[str]) -> None:
    axis = Axis.of(numbers)
    assert list(axis.ticks.values()) == expected
    assert (axis.low, axis.high) == (min(axis.ticks), max(axis.ticks))


@pytest.mark.parametrize("numbers", [[-1.7e308, 1.7e308], [5e-324, 1e-323], [1e16, 1e16 + 2], [0.1 + 0.2, 0.3], [123456.789, 123456.790]])
def test_extreme_numbers_have_an_axis(numbers: list[float]) -> None:
    axis = Axis.of(numbers)
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 8
    assert charts.scatter([numbers], "x", "y")


def test_the_lines_of_folds_have_dashes_with_a_legend() -> None:
    series = {f"{model}, fold {fold}": [[1, 0.5 * fold], [2, 0.1]] for model in ("fused", EVIL) for fold in (1, 2, 3)}
    families = {name: name.split(",")[0] for name in series}
    folds = {name: name.split(", ")[1] for name in series}
    chart = charts.lines(ENGLISH, series, "epoch", "loss", families=families, folds=folds)
    lines = re.findall(r'class="line" style="stroke:var\((--c\d)\)"(?: stroke-dasharray="([\d ]+)")?', chart)
    assert lines == [(color, dash) for color in ("--c0", "--c1") for dash in ("", "7 3", "2 2")]
    assert [chart.count(f"</svg>fold {fold}</span>") for fold in (1, 2, 3)] == [1, 1, 1]
    assert EVIL not in chart
    one = charts.lines(
        ENGLISH, {"fused, fold 1": [[1, 2.0]]}, "epoch", "loss", families={"fused, fold 1": "fused"}, folds={"fused, fold 1": "fold 1"}
    )
    assert "dasharray" not in one


def test_a_point_that_is_not_finite_is_left_out() -> None:
    chart = charts.lines(ENGLISH, {"loss": [[1, 2.0], [2, float("nan")], [3, 1.0]]}, "epoch", "loss")
    assert chart.count("<circle") == 2
    assert "nan" not in chart
    assert charts.lines(ENGLISH, {"loss": [[1, float("inf")]]}, "epoch", "loss") == ""


def test_a_matrix_of_some_classes_sums_the_others() -> None:
    data = {"classes": ["a", EVIL], "counts": [[5, 1, 2], [0, 6, 1], [3, 1, 40]], "of": 30, "pairs": [[EVIL, "b" * 200, 4, 16]]}
    html = confusion.matrix(ENGLISH, data)
    assert "the 2 of 30 classes with the most errors" in html
    assert html.count("28 other classes") == 4  # a row and a column, each with its title
    assert "<td>4</td><td>25%</td>" in html
    assert "b" * 200 in html
    assert EVIL not in html
    whole = confusion.matrix(ENGLISH, {"classes": ["a", "b"], "counts": [[5, 1], [0, 6]], "of": 2})
    assert "other classes" not in whole
    assert "Most frequent confusions" not in whole
    older = confusion.matrix(ENGLISH, {"classes": ["a", "b"], "counts": [[5, 1], [0, 6]], "of": 40})
    assert "2 most frequent of 40 classes" in older


def test_long_names_keep_both_ends() -> None:
    assert shortened("a short name") == "a short name"
    first, second = (shortened(f"a name with the same long beginning {end}") for end in ("one", "two"))
    assert (first, second) == ("a name w…ning one", "a name w…ning two")
    assert shortened("这是一个非常非常长的类别名称") == "这是一个…类别名称"
