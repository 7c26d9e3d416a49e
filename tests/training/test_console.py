"""Tests of the console, of its estimate of the time left, and of the messages that go to ``logging``."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import polymodal as pm
from builders.tables import FAST, shop
from polymodal.training.console import Console, observers_of
from polymodal.training.events import (
    CellEvent,
    EndEvent,
    EpochEvent,
    Event,
    MemberEvent,
    ModelEvent,
    NoteEvent,
    PlanEvent,
    StartEvent,
    StepEvent,
    WarningEvent,
)  # fmt: skip
from polymodal.training.observers import LOGGER, Logs
from polymodal.training.overall import GridProgress, RunProgress

ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def epoch(name: str, number: int, best: bool = True) -> EpochEvent:
    """An epoch of a model."""
    shown = {"log_loss": 1.0 / number, "accuracy": 0.5}
    return EpochEvent(name, number, 3, 0.5, 1.0, 60.0, 0.02, True, 0.5, best, shown, {"y": shown}, {})


def run_events(limit: float | None = None) -> Iterator[Event]:
    """The events of a run of two models of all fields, and one of each of two fields."""
    yield StartEvent("0", "2", "3", 1, "t.csv", 90, 0, limit)
    yield NoteEvent("a note")
    yield PlanEvent(2, 1, 3, {}, work={"": 3.0, "title": 2.0, "价格": 1.0})
    for name, field in (("fused, fold 1", ""), ("fused, fold 2", ""), ("only title", "title"), ("only 价格", "价格")):
        yield ModelEvent(name, field, 3, trained=False)
        for number in (1, 2, 3):
            yield StepEvent(name, number, 3, 1, 2, 0.5, 60.0, 0.0)
            yield StepEvent(name, number, 3, 2, 2, 0.5, 60.0, 0.0)
            yield epoch(name, number, number < 3)
        yield NoteEvent("a detail", detail=True)
        yield MemberEvent(name, 2, 0.5, "all epochs done", 3.4)
    yield EndEvent({"total": 9.0}, {}, "")


# -- the time left -------------------------------------------------------------------------------------------------------


def test_the_progress_is_over_all_models_and_the_time_left_follows_from_those_that_are_trained() -> None:
    clock = [0.0]
    progress = RunProgress(lambda: clock[0])
    shares, lefts = [], []
    for event in run_events():
        progress.observe(event)
        shares.append(progress.share)
        lefts.append(progress.left)
        if isinstance(event, EpochEvent):  # models of all fields take 30 s, the single fields 20 and 10
            clock[0] += {"f": 10.0, "t": 20 / 3, "价": 10 / 3}[event.name.replace("only ", "")[0]]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    begins = [at for at, event in enumerate(run_events()) if isinstance(event, ModelEvent)]
    assert [round(lefts[at] or 0) for at in begins[1:]] == [60, 30, 10]
    assert lefts[0] is None
    assert progress.total == progress.done == 4


def test_models_that_an_earlier_process_trained_count_and_a_stage_that_was_shortened_is_complete() -> None:
    progress = RunProgress(lambda: 0.0)
    progress.observe(PlanEvent(5, 1, 3, {}, networks=3, work={"": 3.0, "a": 1.0, "b": 1.0}))
    assert progress.total == 17
    progress.observe(ModelEvent("fused, fold 1", "", 3, trained=True))
    assert (progress.done, progress.total) == (1, 17)
    progress.observe(ModelEvent("only a", "a", 3, trained=False))  # the other folds were left out
    assert (progress.done, progress.total) == (1, 3)
    assert progress.share == pytest.approx(3 / 5)
    progress.observe(ModelEvent("only b, fold 2", "b", 3, trained=False))
    progress.observe(ModelEvent("only b, fold 3", "b", 3, trained=False))  # one more than planned
    assert (progress.done, progress.total) == (3, 4)


def test_a_time_limit_bounds_the_time_left() -> None:
    clock = [0.0]
    progress = RunProgress(lambda: clock[0])
    for event in run_events(limit=40.0):
        progress.observe(event)
        if isinstance(event, EpochEvent):
            clock[0] += 10.0
            break
    assert progress.left == 30.0


def test_the_time_left_of_a_comparison_counts_only_trainings_of_this_process() -> None:
    clock = [0.0]
    progress = GridProgress(lambda: clock[0])
    progress.observe(CellEvent("search", "late", 0, 0, 0.5, {}, 1, 5, 100.0, ""))  # read from an earlier process
    assert progress.left is None
    clock[0] = 2.0
    progress.observe(CellEvent("search", "gated", 0, 0, 0.5, {}, 2, 5, 1.9, ""))
    assert (progress.left, progress.share) == (6.0, 0.4)


# -- lines ---------------------------------------------------------------------------------------------------------------


def shown(verbosity: int, stream: io.StringIO | None = None, **settings: Any) -> list[str]:
    """The lines that a console prints of a run."""
    stream = stream or io.StringIO()
    console = Console(stream, verbosity, **settings)
    for event in run_events():
        console.observe(event)
    console.observe(WarningEvent("careful"))
    console.close()
    return stream.getvalue().splitlines()


def test_each_model_has_one_line_and_epochs_are_shown_on_request() -> None:
    plain = shown(1)
    assert not ESCAPES.search("".join(plain))
    assert max(map(cell_len, plain)) <= 80
    lines = [line for line in plain if "accuracy" in line]
    assert [line.split("  ")[1:3] for line in lines] == [
        ["1/4", "fused, fold 1"], ["2/4", "fused, fold 2"], ["3/4", "only title"], ["4/4", "only 价格"]
    ]  # fmt: skip
    assert all("accuracy 0.5000  epoch 2/3" in line for line in lines)
    assert ("a note" in plain, "    a detail" in plain, "warning: careful" in plain) == (True, False, True)
    every = shown(2)
    assert sum("rows/s" in line for line in every) == 12
    assert "a detail" in every
    assert not any("waiting" in line for line in every if line.startswith("    epoch"))
    assert max(map(cell_len, every)) <= 80
    assert any(line.startswith("    epoch 2/3") and "loss 0.5000" in line for line in every)
    assert sum(line.startswith("*: the best epoch so far") for line in every) == 1
    begins = ("models, each with", "*: the best epoch", "fused, fold 1:", "    epoch 1/3 *")
    places = [next(at for at, line in enumerate(every) if line.startswith(begin)) for begin in begins]
    assert places == sorted(places), "the explanations precede what they explain"
    assert shown(0) == ["warning: careful"]


def test_an_epoch_is_on_one_line_whatever_is_known_about_it() -> None:
    stream = io.StringIO()
    console = Console(stream, 2)
    one = {"log_loss": 0.1, "accuracy": 0.5}
    long = {"median_absolute_error_of_the_price": 12345.678, "mean_absolute_error_of_the_price": 12345.678}
    for shown, metrics in ((one, {"y": one}), (long, {"price": long})):
        console.observe(EpochEvent("fused", 10, 10, 0.5, 1.0, 123_456.0, 0.5, True, 0.5, True, shown, metrics, {}))
    lines = [line for line in stream.getvalue().splitlines() if line.startswith("    epoch")]
    assert lines == [
        "    epoch 10/10 *  loss 0.5000  log_loss 0.1000  accuracy 0.5000  waiting 50%",
        "    epoch 10/10 *  mean_absolute_error_of_the_price 12345.6780  waiting 50%",
    ]


def test_a_model_that_was_cut_short_says_so() -> None:
    texts: dict[str, list[str]] = {}
    for language in ("en", "zh"):
        stream = io.StringIO()
        console = Console(stream, language=language)
        console.observe(PlanEvent(3, 0, 3, {}, work={"": 1.0}))
        for name, stopped in (("fused, fold 1", "all epochs done"), ("fused, fold 2", "the time limit"), ("fused, fold 3", "interrupted")):
            console.observe(ModelEvent(name, "", 3, trained=False))
            console.observe(epoch(name, 1))
            console.observe(MemberEvent(name, 1, 0.5, stopped, 12.3))
        texts[language] = [line.partition("12.3 ")[2] for line in stream.getvalue().splitlines() if "12.3" in line]
    assert [re.sub(r"  \d+ s left$", "", line) for line in texts["en"]] == ["s", "s  time limit", "s  interrupted"]
    assert [re.sub(r"  剩 .*$", "", line) for line in texts["zh"]] == ["秒", "秒  达到时间上限", "秒  已中断"]


def test_a_message_is_one_line_in_a_file_and_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "60")
    text = "column '价格': " + "a warning of many words, 许多中文字符的警告 " * 4 + "/a/path/that/is/longer/than/one/line/" + "x" * 40
    for stream, lines in ((io.StringIO(), 1), (Terminal(), 5)):
        console = Console(stream)
        console.observe(WarningEvent(text))
        shown = stream.getvalue().splitlines()
        assert len(shown) == lines
        assert "".join(shown).replace(" ", "") == f"warning:{text}".replace(" ", "")
        if lines > 1:
            assert max(map(cell_len, shown[:-1])) <= 60, "but for the path, which is not broken"
            assert all(line.startswith("  ") for line in shown[1:])


def test_the_lines_are_in_chinese() -> None:
    lines = shown(1, language="zh")
    assert max(map(cell_len, lines)) <= 80
    assert "各个模型，及其在选择轮次（epoch）的行上的指标和用时：" in lines
    assert any(line.startswith("  1/4  融合模型，第 1 折") and "第 2/3 轮" in line for line in lines)
    assert lines[-1] == "警告：careful"


def test_on_a_terminal_there_is_one_bar_and_elsewhere_no_control_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    shown(1, stream)
    text = stream.getvalue()
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "4/4" in plain
    assert "warning: careful" in plain
    monkeypatch.setenv("TERM", "dumb")
    assert not ESCAPES.search("".join(shown(1, Terminal())))


def test_a_hostile_name_and_a_closed_stream_stop_nothing() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.observe(NoteEvent("field '\x1b[2J\x07\r': [red]text[/red]"))
    assert stream.getvalue() == "field '\ufffd[2J\ufffd ': [red]text[/red]\n"
    stream.close()
    console.observe(NoteEvent("x"))
    console.close()


# -- logging and verbose -------------------------------------------------------------------------------------------------


def test_messages_go_to_the_logger_of_the_library(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "polymodal"):
        for event in [*run_events(), WarningEvent("careful %s"), CellEvent("round", "late", 0, 0, 0.5, {}, 1, 2, 1.0, "")]:
            Logs().observe(event)
    found = {(record.levelname, record.getMessage()) for record in caplog.records}
    assert {
        ("WARNING", "careful %s"), ("INFO", "a note"), ("DEBUG", "a detail"), ("INFO", "1/2  round, late: 0.5000"),
        ("INFO", "only title: trained, epoch 2 is kept (all epochs done)"), ("INFO", "the run has ended after 9.0 s"),
        ("DEBUG", "only title, epoch 2 of 3: loss 0.5000, log_loss 0.5000, accuracy 0.5000"),
    } <= found  # fmt: skip


def test_verbose_decides_whether_there_is_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(verbose: Any, *given: pm.Observer) -> list[tuple[int, bool]]:
        return [(one.verbosity, one.lines) for one in observers_of(verbose, given) if isinstance(one, Console)]

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert [found(verbose) for verbose in (None, False, 0, True, 1, 2)] == [[], [], [], [(1, True)], [(1, True)], [(2, True)]]
    assert found(True, Console(verbosity=2)) == [(2, True)], "the console of the caller is the only one"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert (found(None), found(False)) == ([(1, True)], [])
    handler = logging.StreamHandler(io.StringIO())
    LOGGER.addHandler(handler)
    try:
        assert found(True) == [(1, True)], "INFO is not shown by the application"
        LOGGER.setLevel(logging.INFO)
        assert found(True) == [(1, False)], "the application shows the lines itself"
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(logging.NOTSET)


def test_a_notebook_shows_progress_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(lambda: shell)}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (console,) = [one for one in observers_of(None, ()) if isinstance(one, Console)]
    assert (console.in_notebook, console.live) == (True, False), "without ipywidgets there are plain lines"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert Console().live
    assert not Console(io.StringIO()).live


SCRIPT = """
import logging, sys
import polymodal as pm
if sys.argv[2] == "logging":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
pm.train(sys.argv[1], *sys.argv[3:], target="label", verbose=True)
assert (len(logging.getLogger().handlers) > 0) == (sys.argv[2] == "logging"), "the library configured the root logger"
"""


@pytest.mark.parametrize("kind", ["plain", "logging"])
def test_a_script_prints_each_message_once(kind: str, tmp_path: Path) -> None:
    words = [str(shop(tmp_path)), kind, *FAST, "training.epochs=1"]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not ESCAPES.search(done.stdout + done.stderr)
    flat = " ".join(done.stderr.split())
    assert (done.stdout, flat.count("plan: 2 models")) == ("", 1)
    assert ("polymodal plan: 2 models" in flat) == (kind == "logging")
    assert flat.count("fused, fold 1") == 1


def test_the_seconds_of_the_leaderboard_are_those_of_the_lines(tmp_path: Path) -> None:
    kept: list[MemberEvent] = []

    class Keep(pm.Observer):
        def observe(self, event: Event) -> None:
            if isinstance(event, MemberEvent):
                kept.append(event)

    settings = (*FAST, "training.epochs=1", "training.baselines=true")
    model = pm.train(shop(tmp_path), *settings, target="label", observers=[Keep()], verbose=False)
    by_model: dict[str, float] = {}
    for event in kept:
        name = event.name.partition(", fold")[0].replace("fused", "all fields")
        by_model[name] = by_model.get(name, 0.0) + event.seconds
    assert len(kept) > 3
    assert all(event.seconds > 0 for event in kept)
    board = {entry["name"]: entry["seconds"] for entry in model.leaderboard() if entry["seconds"] is not None}
    assert board == pytest.approx(by_model)
