"""The leaderboard in the terminal: values, standard errors, and the rows of entries that were measured on fewer of them."""

from __future__ import annotations

from typing import Any

from polymodal.cli.leaderboard import leaderboard_lines
from polymodal.cli.output import plain_text
from polymodal.language import Words


def entry(name: str, value: float, difference: float | None, rows: int) -> dict[str, Any]:
    kinds = {"only name": "single field", "boosted trees": "trees"}
    verdict = "" if difference is None else "within noise of"
    return {
        "name": name,
        "metric": "r2",
        "value": value,
        "error": 0.05,
        "difference": difference,
        "verdict": verdict,
        "rows": rows,
        "kind": kinds.get(name, "model"),
        "seconds": None,
    }


ENTRIES = [entry("all fields", 0.61, None, 900), entry("only name", 0.73, 0.05, 200), entry("boosted trees", 0.6, 0.01, 900)]


def test_an_entry_on_fewer_rows_is_shown_beside_the_model_on_the_same_rows() -> None:
    assert plain_text(leaderboard_lines(Words("en"), "price", ENTRIES)).splitlines() == [
        "price: r2 of the model, of its votes and of single fields",
        "                              r2  seconds  verdict",
        "  all fields     0.6100 ± 0.0500",
        "  only name      0.7300 ± 0.0500           within noise of all fields (0.7800 on",
        "                                           its 200 rows)",
        "  boosted trees  0.6000 ± 0.0500           within noise of all fields",
        "  ±: the standard error; of a metric from 0 to 1, wider than the binomial one on",
        "  few rows (Bonett and Price 2012); verdict: a paired test on the same rows",
    ]


def test_the_leaderboard_is_in_chinese() -> None:
    lines = plain_text(leaderboard_lines(Words("zh"), "价格", ENTRIES)).splitlines()
    assert lines[0] == "价格：模型、其各个投票与单字段的 r2"
    assert lines[2:6] == [
        "  全部字段  0.6100 ± 0.0500",
        "  仅 name   0.7300 ± 0.0500      与全部字段差别在噪声内（在它的 200 行上为",
        "                                 0.7800）",
        "  提升树    0.6000 ± 0.0500      与全部字段差别在噪声内",
    ]


def test_a_model_without_votes_has_no_leaderboard() -> None:
    assert leaderboard_lines(Words("en"), "price", [entry("all fields", 0.61, None, 900)]) == []
