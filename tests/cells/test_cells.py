"""Tests of numbers, dates and durations: the value of a cell, and the notation of a column."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polymodal as pm
from polymodal.cells import Numbers, Writing, category, check_facts, date, number, writing_of
from polymodal.cells.numbers import _NUMBER, _plain_number
from polymodal.cells.words import LONGEST
from polymodal.config import validate
from polymodal.modalities import PartFault, Roots, Tabular, TabularConfig


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1 234.50", 1234.5), ("1\u00a0234.50", 1234.5), ("1\u202f234", 1234), ("1'234.50", 1234.5), ("1’234", 1234), ("12,34,567.8", 1234567.8),
        ("$1,234.50", 1234.5), ("-$3", -3), ("$-3", -3), ("US$ 5", 5), ("€ 5", 5), ("EUR 103.28", 103.28), ("103.28 EUR", 103.28), ("99¢", 99),
        ("¥1,000", 1000), ("￥１２３", 123), ("98元", 98), ("CHF 5.-", 5), ("R$ 12", 12), ("(1,234)", -1234), ("($5)", -5), ("1,234-", -1234),
        ("−5", -5), ("12 %", 0.12), ("12％", 0.12), ("5‰", 0.005), ("1.5万", 15_000), ("3亿", 3e8), ("1.5万元", 15_000), ("1亿2000万", 1.2e8),
        ("12k", 12_000), ("$3.5M", 3.5e6), ("2 bn", 2e9), ("１，２３４．５", 1234.5), ("1e5", 1e5), ("٣", 3), (Decimal("103.28"), 103.28),
        ("<0.5", 0.5), ("≥90", 90), ("~5", 5), ("约300", 300), ("5000+", 5000), ("3.2×10^4", 32_000), ("1.5x10^-2", 0.015),
        ("12 kg", None), ("5 m", None), ("1,2,3", None), ("1.2.3", None), ("--5", None), ("-(5)", None), ("1_000", None), ("$", None), ("€", None),
        ("5 apples", None), ("1 234 5", None), ("12 34", None), ("0x10", None), ("½", None), ("1/2", None), ("(5", None), ("%", None), (".", None),
    ],
)  # fmt: skip
def test_numbers(cell: Any, value: float | None) -> None:
    assert number(cell) == (value if value is None else pytest.approx(value, rel=1e-12))


@pytest.mark.parametrize("cell", [
    "1", "-1.5", "+.5", "5.", " 12 ", "\t7\n", "1e5", "1E-3", "007", "1e999", "-1e999", "1_000", "_1", "nan", "NaN", "inf", "-Infinity", "", " ", ".", "+",
    "e5", "1e", "1 2", "0x10", "1,5", "１２", "٣", "\u20031", "1\x1c", "1\0", "9" * 400, "0" * 400 + "1", "1d", "1j", "True",
])  # fmt: skip
def test_what_float_reads_is_the_number_that_the_regular_expression_describes(cell: str) -> None:
    text = cell.strip()
    matched = _NUMBER.fullmatch(text) if text.isascii() and len(text) <= LONGEST else None
    expected = float(text) if matched and np.isfinite(float(text)) else None
    assert _plain_number(cell) in (None, expected)
    assert expected is None or number(cell) == expected
    assert _plain_number(cell) is not None or cell not in ("1", "-1.5", "+.5", "5.", " 12 ", "1e5", "007")


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1:02:03", 3723), ("01:02:03.5", 3723.5), ("100:00:00", 360_000), ("-0:00:05", -5), ("3:45", 13_500), ("1 day, 2:03:04", 93_784),
        ("2 days 03:04:05", 183_845), ("0 days 01:23:45.500000", 5025.5), ("10:30 PM", 81_000), ("12:05 am", 300), ("下午3:05", 54_300),
        ("PT1H30M", 5_400), ("P1DT2S", 86_402), ("-PT5S", -5), ("1h 20m", 4_800), ("1 h 20 min", 4_800), ("45 min", 2_700), ("90s", 90),
        ("2小时5分钟", 7_500), ("2:30.5", 150.5), (datetime.timedelta(hours=1, seconds=3), 3_603), (pd.Timedelta("1h"), 3_600), (np.timedelta64(1_500, "ms"), 1.5),
        (datetime.time(1, 2, 3, 500_000), 3723.5), ("1:75", None), ("1:2", None), ("13:00 PM", None), ("PT", None), ("P", None), ("16:9", None),
        (pd.NaT, None), (np.timedelta64("NaT"), None), (np.timedelta64(3, "Y"), None),
    ],
)  # fmt: skip
def test_durations_and_times_of_day_are_seconds(cell: Any, seconds: float | None) -> None:
    assert number(cell) == (seconds if seconds is None else pytest.approx(seconds))


MAY_31 = (datetime.date(2024, 5, 31) - datetime.date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("cell", "days"),
    [
        ("May 31, 2024", 0), ("31 May 2024", 0), ("31-May-2024", 0), ("31-May-24", 0), ("31. Mai 2024", 0), ("31 mai 2024", 0), ("31st of May 2024", 0),
        ("31 de mayo de 2024", 0), ("Friday, May 31, 2024", 0), ("Fri, 31 May 2024 10:00:00 +0000", 10 / 24), ("31/May/2024:10:00:00 +0000", 10 / 24),
        ("2024-05-31 10:00:00+00", 10 / 24), ("2024-05-31T12:00:00+02:00", 10 / 24), ("2024-05-31 05:30:00-0430", 10 / 24), ("2024-05-31T10:00Z", 10 / 24),
        ("2024-05-31 10:00:00 UTC", 10 / 24), ("2024-05-31 12:00:00+02:00[Europe/Berlin]", 10 / 24), ("2024/5/31 10:00 AM", 10 / 24),
        ("2024年5月31日 下午3时05分", 15 / 24 + 5 / 1440), ("２０２４年５月３１日", 0), ("2024-05-31 24:00", 1), ("2024-05", -30), ("2024年5月", -30), ("05/2024", -30),
        ("2024-May-31", 0), ("2024 May 31", 0), ("Fri May 31 10:00:00 2024", 10 / 24), ("Fri May 31 10:00:00 UTC 2024", 10 / 24), ("20240531T100000Z", 10 / 24),
        ("2024-05-31 10", 10 / 24), ("May 2024", -30), ("2024Q2", -60), ("Q2 2024", -60), ("2024-W22-5", 0), (datetime.datetime(2024, 5, 31, 10, tzinfo=datetime.UTC), 10 / 24),
        (pd.Timestamp("2024-05-31 12:00", tz="Europe/Berlin"), 10 / 24), ("1.2.13", None), ("2024.05", None), ("31.02.2024", None), ("Mark 2024", None),
        ("May", None), ("5-6", None), ("31/05/2024", None), ("192.168.10.12", None), ("2024-05-31 25:00", None), ("May 31 31, 2024", None),
    ],
)  # fmt: skip
def test_dates_that_say_themselves_what_they_are(cell: Any, days: float | None) -> None:
    assert date(cell) == (days if days is None else pytest.approx(MAY_31 + days))


@pytest.mark.parametrize(
    ("text", "order", "days"),
    [
        ("31/05/2024", "dmy", 0), ("05/31/2024", "mdy", 0), ("31.05.2024", "dmy", 0), ("31.5.2024 10:00", "dmy", 10 / 24), ("5/31/24", "mdy", 0),
        ("31-05-24", "dmy", 0), ("24-05-31", "yymd", 0), ("5/31/2024 10:00:00 AM", "mdy", 10 / 24), ("31/05/2024", "mdy", None), ("20240531", "%Y%m%d", 0),
        ("2024|31|05", "%Y|%d|%m", 0), ("2024-05-31", "dmy", 0), ("31 May 2024", "mdy", 0), ("2024-05-31", "%d.%m.%Y", None),
    ],
)  # fmt: skip
def test_dates_whose_order_is_known(text: str, order: str, days: float | None) -> None:
    assert date(text, order) == (days if days is None else pytest.approx(MAY_31 + days))


def test_two_writings_of_one_moment_are_one_moment() -> None:
    texts = [
        "2024-05-31T10:00:00Z",
        "2024-05-31 12:00:00+02:00",
        "2024-05-31T05:00:00-05:00",
        "2024-06-01T00:00:00+1400",
        "31 May 2024 10:00 GMT",
    ]
    assert len({date(text) for text in texts}) == 1


COLUMNS: list[tuple[list[Any], str, list[float | None]]] = [
    (["1234,50", "12,5", "1.234,50", "7"], "number", [1234.5, 12.5, 1234.5, 7]),
    (["1.234", "2.500", "1.234.567"], "number", [1234, 2500, 1234567]),
    (["1,234", "2,500"], "number", [1234, 2500]),
    (["1.234", "2.500"], "number", [1.234, 2.5]),
    (["0,123", "1,234"], "number", [0.123, 1.234]),
    (["1 234,50", "12,00"], "number", [1234.5, 12]),
    (["12 kg", "1.5 kg", "1,000 kg"], "number", [12, 1.5, 1000]),
    (["35,000 km", "1,200 km"], "number", [35_000, 1_200]),
    (["12 kg", "500 g", "3 kg", "100 g"], "category", []),
    (["3:45", "1:02:03", "12:10"], "number", [225, 3723, 730]),
    (["09:30", "09:30:15"], "number", [34_200, 34_215]),
    (["45:10", "3:05"], "number", [2710, 185]),
    (["05/31/2024", "06/07/2024"], "date", [MAY_31, MAY_31 + 7]),
    (["31/05/2024", "07/06/2024"], "date", [MAY_31, MAY_31 + 7]),
    (["31.05.2024", "07.06.2024"], "date", [MAY_31, MAY_31 + 7]),
    (["99-05-31", "24-05-31", "98-01-02"], "date", [10_742, MAY_31, 10_228]),
    ([20240531, 20240601, 20230102], "date", [MAY_31, MAY_31 + 1]),
    (["20240531", "20240601", "20230102"], "date", [MAY_31, MAY_31 + 1]),
    (["24-05-30", "24-05-31", "24-06-03", "24-06-17", "23-06-28"], "date", [MAY_31 - 1, MAY_31]),
    (["30.05.24", "31.05.24", "03.06.24", "17.06.24"], "date", [MAY_31 - 1, MAY_31]),
    (["12 °C", "-3.5°C"], "number", [12, -3.5]),
    (["12 m²", "3.5 m²"], "number", [12, 3.5]),
    (["1,200 sq ft", "900 sq ft"], "number", [1200, 900]),
    (["12km/h", "3km/h"], "number", [12, 3]),
    (["36岁", "7岁"], "number", [36, 7]),
    (["<0.5", "0.7", "1.2", ">90"], "number", [0.5, 0.7, 1.2, 90]),
    (["<=50K", ">50K"], "category", []),
    (["1+", "1", "2", "2+"], "category", []),
    (["3", "1-", "2+"], "category", []),
    (["0", "1", "2", "3+"], "number", [0, 1, 2, 3]),
    (["100-", "200"], "number", [-100, 200]),
    (["<0.5", "0.5", *map(str, range(30))], "number", [0.5, 0.5, 0]),
    (["2009/10", "2010/11", "2011/12"], "category", []),
    (["2009/10", "2010/12", "2011/12"], "date", [14_518]),
    ([20240531100000, 20240601120000, 20230102000000], "date", [MAY_31 + 10 / 24, MAY_31 + 1.5]),
    ([20240531, 20241399, 20230102], "number", [20240531]),
    (["0306406152", "030640615X", "1234567890"], "category", []),
    (["1306406152", "130640615X", "1234567890"], "category", []),
    (["02134", "02135", "10001"], "category", []),
    (["02134", "02135", "10001", "02134", "10001", "02135", "02134", "10001", "02135", "02134-1234"], "category", []),
    ([*(f"{at * 7919 % 100_003:09d}{'X' if at % 9 == 0 else at % 10}" for at in range(60)), "unkn"], "category", []),
    ([9_780_000_000_000 + at * 7_919_333 for at in range(40)], "category", []),
    ([float(9_780_000_000_000 + at * 7_919_333) for at in range(40)], "category", []),
    ([f"+{49_000_000_000 + at * 7_919_333}" for at in range(40)], "category", []),
    ([9_780_000_000_000 + at % 5 for at in range(40)], "number", [9_780_000_000_000]),
    ([1_600_000_000 + at * 79_333 for at in range(40)], "number", [1_600_000_000]),
    ([1_600_000_000_000 + at * 79_333_001 for at in range(40)], "number", [1_600_000_000_000]),
    ([4_100_000_000 + at * 79_000 for at in range(40)], "number", [4_100_000_000]),
    ([12_345_678 + at * 79_333 for at in range(40)], "number", [12_345_678]),
    ([*range(1_234_567, 1_234_627), *["unknown"] * 6], "number", [1_234_567]),
    (["007", "07", "7"], "number", [7, 7, 7]),
    (["36", "38", "S", "M", "40", "L"], "category", []),
    ([True, False], "category", []),
    (["abc", "def"], "category", []),
]


@pytest.mark.parametrize(("cells", "kind", "values"), COLUMNS, ids=lambda value: str(value)[:30])
def test_a_column_is_read_by_what_its_cells_show_together(cells: list[Any], kind: str, values: list[float | None]) -> None:
    found = writing_of(cells)
    assert found.type == kind
    assert [found.value(cell) for cell in cells[: len(values)]] == [value if value is None else pytest.approx(value) for value in values]
    check_facts(json.loads(json.dumps(found.facts())))
    assert Writing.of_facts(found.type, json.loads(json.dumps(found.facts()))).value(cells[0]) == found.value(cells[0])


def test_what_is_not_shown_is_told() -> None:
    slashes, points = writing_of(["05/06/2024", "07/08/2024"]), writing_of(["05.06.2024", "07.08.2024"])
    assert (slashes.order, points.order) == ("mdy", "dmy")
    assert "the month is read first; to change it, set fields.NAME.date_format=dmy" in slashes.notes[0]
    assert "the day is read first" in points.notes[0]
    assert writing_of(["05/06/2024", "31/08/2024"]).notes == ()
    assert "decimal sign, as in '1234,50'" in writing_of(["1234,50", "3,5"]).notes[0]
    assert "bounds and approximate numbers, such as '<0.5'" in writing_of(["1", "2", "<0.5"]).notes[0]
    assert "the year is read first" in writing_of(["24-05-30", "24-05-12", "24-06-03"]).notes[0]
    assert "several currencies ($, €)" in writing_of(["$5", "$6", "€7"]).notes[0]


def test_words_among_numbers_are_missing_and_told() -> None:
    cells = [str(at) for at in range(300)] + ["unknown"] * 200 + ["Unknown "] * 10
    found = writing_of(cells)
    assert (found.type, found.words, found.share) == ("number", {"unknown"}, pytest.approx(300 / 510))
    assert found.notes == ("210 of 510 cells are not numbers ('unknown'); they count as missing",)
    assert found.is_word("UNKNOWN")
    assert not found.is_word("cheap")
    assert writing_of([f"2024-01-{day:02d}" for day in range(1, 32)] + ["soon"] * 8).type == "date"
    assert writing_of(["1", "2", "3"] * 20 + ["x"] * 10).type == "category", "a few numbers and a word are categories"
    assert writing_of([str(at) for at in range(60)] + [f"code {at}" for at in range(40)]).type == "category"


def table_of(cells: list[Any], **settings: Any) -> Tabular:
    config = TabularConfig(columns=["n"], **settings)
    return Tabular(config, Tabular.fit(config, cells, "columns", {"bins": 4}, Roots()), Roots())


def test_a_field_reads_as_its_column_is_written() -> None:
    table = table_of(["1234,50", "12,5", "7", "unbekannt", "unbekannt"] + ["3"] * 20)
    column = table.state["columns"][0]
    assert (column["low"], column["high"]) == (3.0, 1234.5)
    assert table.describe() == "1 number; 'n' with a decimal comma, 'unbekannt' as missing"
    assert table.is_missing("Unbekannt")
    assert table.read("1.234,50")["numbers"] == table.read(1234.5)["numbers"]
    with pytest.raises(PartFault, match=r"found '12\.5'; expected a finite number"):
        table.read("12.5")
    again = Tabular(table.config, json.loads(json.dumps(table.state)), Roots())
    again.check()
    assert again.read("12,5")["numbers"] == table.read("12,5")["numbers"]


def test_decimal_signs_and_formats_can_be_said() -> None:
    assert table_of(["1.234", "2.500"], decimal=",").state["columns"][0]["high"] == 2500.0
    assert table_of(["1.234", "2.500"], decimal={"n": ","}).state["columns"][0]["high"] == 2500.0
    assert table_of(["05/06/2024"] * 3, date_format="%d/%m/%Y").state["columns"][0]["high"] == MAY_31 + 5
    assert table_of(["05/06/2024"] * 3, date_format="dmy").state["columns"][0]["high"] == MAY_31 + 5
    assert table_of(["05/06/2024"] * 3, date_format={"n": "mdy"}).state["columns"][0]["high"] == MAY_31 - 25
    with pytest.raises(pm.ConfigError, match=r"date_format: found 'day/month'; 'day/month' is not a format of dates; expected dmy"):
        validate(TabularConfig, {"columns": ["n"], "date_format": "day/month"})
    with pytest.raises(pm.ConfigError, match="decimal: 'm' is not among the field's columns"):
        table_of(["1"], decimal={"m": ","})


def test_states_of_older_bundles_read_as_they_did() -> None:
    old = {"form": "columns", "columns": [
        {"name": "n", "type": "number", "mean": 0.0, "std": 1.0, "scale": 1.0, "low": 0.0, "high": 9.0, "edges": [0.0]},
        {"name": "c", "type": "category", "values": ["1.0", "true", "x"]},
    ]}  # fmt: skip
    table = Tabular(TabularConfig(columns=["n", "c"]), old, Roots())
    table.check()
    assert table.read(("1,234.5", "true"))["numbers"].tolist() == [10.0]
    assert [table.read(("1", name))["categories"].tolist() for name in ("1.0", "1", "true", "True", "x")] == [[2], [2], [3], [3], [4]]


def test_foreign_facts_of_a_column_are_refused() -> None:
    facts = Writing("number").facts()
    for change in ({"decimal": ";"}, {"clock": "x"}, {"unit": 3}, {"order": "xyz"}, {"order": "%"}, {"words": "a"}, {"words": [1]}):
        with pytest.raises(ValueError):
            check_facts({**facts, **change})


def test_truth_values_and_codes_are_one_category_however_they_are_written() -> None:
    assert {category(cell) for cell in (True, np.bool_(True), "True", "true", "TRUE", " true ")} == {"True"}
    assert {category(cell) for cell in (1, 1.0, "1", "1.0", "1.00", "１", np.int64(1))} == {"1"}
    assert category("1.50") == "1.50"
    assert category("v1.0") == "v1.0"
    assert category("10") == "10"


def test_numbers_of_a_column_with_a_decimal_comma() -> None:
    comma = Numbers(",")
    assert [comma.read(text) for text in ("1,5", "1.234", "1.234,5", "1 234,5", ",5", "12,", "€ 1,5")] == [
        1.5,
        1234,
        1234.5,
        1234.5,
        0.5,
        12,
        1.5,
    ]
    assert [comma.read(text) for text in ("1.5", "1,234,567", "1,234.5")] == [None, None, None]
    assert comma.read(1.5) == 1.5


@pytest.mark.parametrize("text", ["1" * 400, "1," * 199, "1 " * 200, "(" * 400, "1" + "." * 399, "9" * 399 + "万", "May " * 100, "1-" * 200, "1:" * 200,
                                  "\u00bd" * 100, "P" + "1D" * 100, " " * 399 + "x", "a" * 399, "Q" * 400, "-" * 400, "1 days " * 50,
                                  "(" + " " * 398 + "x", "(- $ -" + "\u00a0" * 390 + "é", "-" + " " * 398 + "x"])  # fmt: skip
def test_hostile_texts_are_read_or_not_in_a_moment(text: str) -> None:
    for found in (number(text), date(text), date(text, "dmy"), writing_of([text] * 30).value(text)):
        assert found is None or np.isfinite(found)
