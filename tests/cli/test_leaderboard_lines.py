"""The leaderboard in the terminal: values, standard errors, and the rows of entries that were measured on fewer of them."""

from __future__ import annotations

from typing import Any

from polymodal.cli.metric_table import leaderboard_lines


def entry(name: str, value: float, difference: float | None, rows: int) -> dict[str, Any]:
    verdict = "" if difference is None else "within noise of"
    return {"name": name, "metric": "r2", "value": value, "error": 0.05, "difference": difference, "verdict": verdict, "rows": rows}


def test_an_entry_on_fewer_rows_is_shown_beside_the_model_on_the_same_rows() -> None:
    lines = list(
        leaderboard_lines(
            "price", [entry("all fields", 0.61, None, 900), entry("only name", 0.73, 0.05, 200), entry("trees", 0.6, 0.01, 900)]
        )
    )
    assert lines == [
        "price, r2 by model and by vote, with standard errors:",
        "  all fields       0.6100 ± 0.0500",
        "  only name        0.7300 ± 0.0500  all fields within noise of it (0.7800 on its 200 rows)",
        "  trees            0.6000 ± 0.0500  all fields within noise of it",
    ]


def test_a_model_without_votes_has_no_leaderboard() -> None:
    assert list(leaderboard_lines("price", [entry("all fields", 0.61, None, 900)])) == []
