"""Tests of text for a terminal: nothing is wider than its line, nothing breaks inside a word, and colours where they are wanted."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from polymodal.terminal import Table, folded, has_colors, is_live, padded, painted, printable, shortened, width_of, wrapped


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


# -- lines ---------------------------------------------------------------------------------------------------------------


def test_a_text_is_broken_at_spaces_and_a_long_word_is_not_broken() -> None:
    path = "/home/user/very/long/folder/of/a/run/report.html"
    assert wrapped(f"the report is {path} and more", 20, "- ", "  ") == ["- the report is", f"  {path}", "  and more"]
    assert wrapped("", 20, "- ") == ["- "]


def test_chinese_is_broken_between_characters_but_not_before_punctuation() -> None:
    assert wrapped("全部字段的准确率为0.52，优于单字段。", 18) == ["全部字段的准确率为", "0.52，优于单字段。"]
    assert wrapped("一二三四，五", 8) == ["一二三", "四，五"]
    assert wrapped("一二三（四五）", 8) == ["一二三", "（四五）"]


@given(st.text(alphabet="ab ，。（）字段, -_", max_size=60), st.integers(10, 40))
def test_only_a_word_that_cannot_be_broken_is_wider_than_a_line(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split()), "nothing is lost"
    for line in lines:
        assert cell_len(line) <= width or " " not in line.strip()


@given(st.text(max_size=50), st.integers(4, 30))
def test_a_name_is_never_wider_than_its_column(name: str, width: int) -> None:
    name = printable(name)
    assert all(cell_len(line) <= width for line in folded(name, width))
    assert cell_len(shortened(name, width)) <= width


def test_a_name_is_folded_after_its_separators_and_a_word_is_shortened_in_its_middle() -> None:
    assert folded("mean_of_the_first_measurement", 14) == ["mean_of_the_", "first_", "measurement"]
    assert folded("without 商品标题", 8) == ["without", "商品标题"]
    assert shortened("measurement", 7) == "mea…ent"
    assert shortened("测量值甲乙丙", 7) == "测量…丙"
    assert (padded("字", 4), padded("字", 4, right=True)) == ("字  ", "  字")


# -- tables --------------------------------------------------------------------------------------------------------------


def test_columns_that_do_not_fit_continue_below_with_the_labels_again() -> None:
    table = Table(["", *(f"only field_{at}" for at in range(9))], [["accuracy", *["0.5000"] * 9], ["ece", *["0.1000"] * 9]])
    lines = table.lines(60)
    assert max(map(cell_len, lines)) <= 60
    assert sum(line.startswith("  accuracy") for line in lines) == 2
    assert sum(line.count("0.5000") for line in lines) == 9
    assert [line for line in table.lines(120) if line.startswith("  accuracy")] == ["  accuracy" + "   0.5000" * 9]


def test_the_last_column_continues_on_further_lines() -> None:
    table = Table(["列", "why"], [["标题", "平均每个单元格 4.2 个词，100% 的单元格互不相同"], ["b", "x"]], left=1, rest=True)
    assert table.lines(40) == [
        "  列    why",
        "  标题  平均每个单元格 4.2 个词，100% 的",
        "        单元格互不相同",
        "  b     x",
    ]


@given(
    st.lists(st.text(alphabet="ab_字段 x", min_size=1, max_size=70), min_size=1, max_size=12),
    st.lists(st.text(alphabet="ab_字段 x", max_size=60), min_size=1, max_size=4),
    st.booleans(),
)
def test_no_line_of_a_table_is_wider_than_the_terminal(heads: list[str], labels: list[str], rest: bool) -> None:
    rows = [[label, *["0.1234 ± 0.1234"] * min(len(heads), 2), *["1"] * (len(heads) - 2)] for label in labels]
    table = (
        Table(["", *heads], rows)
        if not rest
        else Table(["", "n", "why"], [[label, "1", " ".join(heads)[:60]] for label in labels], rest=True)
    )
    for line in table.lines(80):
        assert cell_len(line) <= 80 or (rest and not line[40:].strip().count(" "))


def test_control_characters_are_not_obeyed() -> None:
    assert printable("a\x1b[31mb\r\n\tc\u202ed") == "a\ufffd[31mb   c\ufffdd"
    assert "\x1b" not in "".join(Table(["", "x"], [["\x1b]0;title\x07", "1"]]).lines(80))


# -- the terminal --------------------------------------------------------------------------------------------------------


def test_the_width_is_that_of_columns_or_80(monkeypatch: pytest.MonkeyPatch) -> None:
    for given_width, expected in (("100", 100), ("3", 40), ("1000", 120), ("", 80), ("x", 80), ("²", 80)):
        monkeypatch.setenv("COLUMNS", given_width)
        assert width_of(io.StringIO()) == expected


@pytest.mark.parametrize(
    ("variables", "on_terminal", "elsewhere"),
    [({}, True, False), ({"NO_COLOR": "1"}, False, False), ({"NO_COLOR": ""}, True, False), ({"FORCE_COLOR": "1"}, True, True),
     ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False), ({"TERM": "dumb"}, False, False)],
)  # fmt: skip
def test_colors_follow_the_environment(
    variables: dict[str, str], on_terminal: bool, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (has_colors(Terminal()), has_colors(io.StringIO())) == (on_terminal, elsewhere)
    assert painted("x", "bold", Terminal()) == ("\x1b[1mx\x1b[0m" if on_terminal else "x")
    assert painted("", "bold", Terminal()) == ""
    assert is_live(Terminal()) == (variables.get("TERM") != "dumb")
