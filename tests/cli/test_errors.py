"""Errors on the command line: empty values, folders that are no run, and messages on the lines of a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from polymodal.cli.main import main
from polymodal.storage import hint_of_runs
from polymodal.terminal import joined, message_lines


def run(*words: str) -> Result:
    """Run a command that fails with exit code 2."""
    result = CliRunner().invoke(main, [*words])
    assert result.exit_code == 2, (result.output, result.exception)
    return result


@pytest.mark.parametrize(("words", "message"), [
    (("train", "t.csv", "--target", "y", "-o", ""), "--out: an empty value; expected RUN; leave the option out for its default"),
    (("train", "t.csv", "--target", "y", "--out= "), "--out: an empty value; expected RUN; leave the option out for its default"),
    (("train", "t.csv", "--target", ""), "--target: an empty value; expected COL; leave the option out for its default"),
    (("train", "", "--target", "y"), "TABLE: an empty value; expected text"),
    (("train", "--resume", ""), "--resume: an empty value; expected RUN"),
    (("train", "t.csv", "--target", "y", "--ignore", "a", "--ignore", ""), "--ignore: an empty value; expected COL"),
    (("compare", "t.csv", "--target", "y", "-o", ""), "--out: an empty value; expected FOLDER"),
    (("evaluate", "", "t.csv"), "RUN: an empty value; expected text"),
    (("predict", "r", "t.csv", "-o", ""), "--out: an empty value; expected OUT"),
    (("report", ""), "RUN: an empty value; expected text"),
    (("serve", ""), "RUN: an empty value; expected text"),
    (("table", "coco", "folder", "-o", ""), "--out: an empty value; expected TABLE"),
    (("card", "r", "-o", ""), "--out: an empty value; expected FILE"),
])  # fmt: skip
def test_an_empty_value_is_one_clear_error(words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run(*words).stderr
    assert f"Error: {message}" in shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_runs_names_the_run_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("tuned/trials/0003/bundle", "several/a/bundle", "several/b/bundle", "compared/x", "empty"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "compared" / "best.yaml").write_text("")
    (tmp_path / "t.csv").write_text("a\n1\n")
    expected = {
        "tuned": "; did you mean 'tuned/trials/0003'?",
        "several": "; it contains 'several/a', 'several/b'",
        "compared": "; it keeps the best settings and no model; train it: polymodal train compared/best.yaml",
        "empty": "",
    }
    for folder, hint in expected.items():
        assert hint_of_runs(Path(folder)) == hint
        for words in (("evaluate", folder, "t.csv"), ("predict", folder, "t.csv", "-o", "p.csv"), ("report", folder), ("serve", folder)):
            assert run(*words).stderr.endswith(f"{hint}\n") or not hint, words
    for number in range(9):
        (tmp_path / "several" / f"c{number}" / "bundle").mkdir(parents=True)
    assert hint_of_runs(Path("several")).endswith("'several/c2', ...")
    assert hint_of_runs(Path("no such folder")) == ""


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_message_is_broken_on_a_terminal_alone_and_never_in_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    path = "/a/path/without/spaces/" + "x" * 30
    text = f"t.csv: {path} cannot be read\n  a: 一二三四五六七八九十一二三四五六七八九十, 一二三四五六七八九十\nexpected another\x1b[2J"
    assert message_lines(text, io.StringIO(), "error: ", several=True) == [
        f"error: t.csv: {path} cannot be read", "  a: 一二三四五六七八九十一二三四五六七八九十, 一二三四五六七八九十", "expected another\ufffd[2J",
    ]  # fmt: skip
    lines = message_lines(text, Terminal(), "error: ", several=True)
    assert lines == [
        "error: t.csv:", f"  {path}", "  cannot be read", "  a: 一二三四五六七八九十一二三四五六七", "    八九十, 一二三四五六七八九十", "expected another\ufffd[2J",
    ]  # fmt: skip
    assert max(cell_len(line) for line in lines if path not in line) <= 40
    assert message_lines("", Terminal()) == [""]
    assert message_lines("column 'a\nerror: forged'", io.StringIO()) == ["column 'a error: forged'"], "data adds no line to a log"


def test_missing_words_show_the_help() -> None:
    for words in ((), ("table",)):
        result = CliRunner().invoke(main, [*words])
        assert result.output.startswith("Usage: ")
        assert "Error" not in result.output


def test_the_least_important_parts_of_a_line_are_left_out() -> None:
    parts = [(0, "epoch 1/3"), (2, "loss 0.5"), (0, "accuracy 0.9"), (4, "9 rows/s")]
    assert joined(parts, 80, "  ") == ["  epoch 1/3  loss 0.5  accuracy 0.9  9 rows/s"]
    assert joined(parts, 40, "  ") == ["  epoch 1/3  loss 0.5  accuracy 0.9"]
    assert joined(parts, 30, "  ") == ["  epoch 1/3  accuracy 0.9"]
    assert joined(parts, 20, "  ") == ["  epoch 1/3", "      accuracy 0.9"], "what must be there continues, whole"
    assert joined([(0, "")], 20, "  ") == [""]
