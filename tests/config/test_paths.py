"""Tests of relative paths: one rule for every setting that contains a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import polymodal as pm
from polymodal.config import Config, absolute, path_settings
from polymodal.config.paths import _configs_in, _mark_of
from polymodal.experiment import Experiment

EXPECTED = {
    "data.table",
    "data.valid",
    "data.test",
    "data.root",
    "training.init",
    "model.encoders.*.model",
    "model.encoders.*.each.model",
    "model.pretrained.image",
    "model.pretrained.text",
    "model.pretrained.audio",
    "model.pretrained.joint",
}
NO_PATHS = {"DataConfig.encoding", "SeriesConfig.column", "SeriesConfig.start"}
"""Settings whose description mentions a file or a folder, and that hold none."""


def configs(model: type[Config]) -> Iterator[type[Config]]:
    """Every class of configurations below one."""
    yield model
    for info in model.model_fields.values():
        for below, _ in _configs_in(info.annotation):
            yield from configs(below)


def test_every_setting_that_holds_a_path_is_known() -> None:
    assert {".".join(place) for place in path_settings(Experiment)} == EXPECTED


def test_a_text_setting_that_is_described_as_a_file_or_folder_is_declared_as_a_path() -> None:
    classes = set(configs(Experiment))
    assert len(classes) > 40
    for model in classes:
        for name, info in model.model_fields.items():
            described = re.search(
                r"\b(path|file|folder|bundle|directory|(training|validation|test) table)s?\b", info.description or "", re.IGNORECASE
            )
            text = re.search(r"\bstr\b", str(info.annotation)) is not None and "dict" not in str(info.annotation)
            if described and text and f"{model.__name__}.{name}" not in NO_PATHS:
                assert _mark_of(info.metadata, info.annotation) is not None, f"{model.__name__}.{name}: {info.description}"


def test_paths_of_a_file_are_relative_to_it_and_those_of_the_caller_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "sub"
    (place / "net").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    encoders = "t: {kind: pretrained, model: net}, f: {kind: frames, each: {kind: pretrained, model: net}}"
    (place / "run.yaml").write_text(
        "data: {table: t.csv, valid: v.csv, test: /abs/t.csv, root: [pictures, /abs]}\n"
        "training: {init: first}\n"
        f"fields: {{t: {{kind: text, column: t}}, f: {{kind: pictures, column: f}}}}\nmodel: {{encoders: {{{encoders}}}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    experiment = Experiment.read("sub/run.yaml", ["data.valid=other/v.csv"])
    net = str(place / "net")
    assert experiment.paths == ["sub/t.csv", "other/v.csv", "/abs/t.csv", "sub/pictures", "/abs", net, net, "sub/first"]
    whole = experiment.with_absolute_paths()
    assert whole.paths == [
        str(tmp_path / "sub/t.csv"), str(tmp_path / "other/v.csv"), "/abs/t.csv", str(place / "pictures"), "/abs", net, net,
        str(place / "first"),
    ]  # fmt: skip
    assert whole.with_absolute_paths() == whole.with_paths_at(tmp_path / "other") == whole


def test_a_name_that_is_no_path_and_what_is_invalid_stay(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: {encoders: {t: {kind: pretrained, model: org/net}}}\nfields: {t: {kind: text, column: t}}\n")
    experiment = Experiment.read(tmp_path / "run.yaml")
    assert experiment.model.encoders["t"].model == "org/net"  # type: ignore[union-attr]
    assert experiment.paths == []
    for wrong in ("data: [1]", "data: {table: 1}", "model: {encoders: 3}", "training: {init: [a]}", "model: {encoders: {t: {kind: 5}}}"):
        (tmp_path / "run.yaml").write_text(wrong + "\n")
        with pytest.raises(pm.ConfigError):
            Experiment.read(tmp_path / "run.yaml")


def test_a_link_to_a_table_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "t.csv").touch()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "t.csv").symlink_to(tmp_path / "real" / "t.csv")
    (tmp_path / "linked").symlink_to(tmp_path / "here")
    assert absolute(tmp_path / "linked" / "t.csv") == str(tmp_path / "here" / "t.csv"), "files beside it are found beside it"
    assert absolute(tmp_path / "linked" / "..") == str(tmp_path)
