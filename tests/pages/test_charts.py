"""Ticks of the axes of charts: round numbers with texts that differ."""

from __future__ import annotations

import pytest

from polymodal.pages.charts import _ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (1, 14, ["2", "4", "6", "8", "10", "12", "14"]),
        (-0.6, 1.87e6, ["0", "500k", "1M", "1.5M"]),
        (-3, -1, ["-3", "-2.5", "-2", "-1.5", "-1"]),
        (5, 5.0001, ["5", "5.00002", "5.00004", "5.00006", "5.00008", "5.0001"]),
    ],
)
def test_ticks_are_round_and_their_texts_differ(low: float, high: float, expected: list[str]) -> None:
    assert list(_ticks(low, high).values()) == expected
