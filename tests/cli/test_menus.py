"""A wrong word for one of a fixed set of words is answered with the right one: options, settings and arguments alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
import pytest

import polymodal as pm
from polymodal.cli.main import main
from polymodal.cli.mistakes import Menu
from polymodal.config import Setting, merge, settings_of
from polymodal.config.settings import choices_of
from polymodal.encoders import CONFIGS as ENCODERS
from polymodal.experiment import Experiment, encoders_of
from polymodal.exporting import export
from polymodal.fusions import CONFIGS as FUSIONS
from polymodal.modalities import CONFIGS as MODALITY_CONFIGS
from polymodal.modalities import MODALITIES
from polymodal.predictor.importance import check_arguments
from polymodal.predictor.reading import TableReader
from polymodal.tasks import CONFIGS as TASKS
from polymodal.training.devices import pick_device

TREE: dict[str, Any] = {
    "fields": {
        "title": {"kind": "text", "column": "title"},
        "specs": {"kind": "tabular", "columns": ["price", "brand"]},
        **{kind: {"kind": kind, "column": kind} for kind in ("image", "audio", "series", "points", "video", "vector")},
    },
    "tasks": {"label": {"kind": "multiclass", "column": "label"}},
}


def misspelt(word: str) -> str:
    """A word with its middle letter twice; of a short word, with its last letter twice."""
    at = len(word) - 1 if len(word) < 4 else len(word) // 2
    return word[: at + 1] + word[at:]


def options(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """The parameters of a command and of the commands below it that are one of a few words, each with the path of its command."""
    yield from ((path, one) for one in command.params if isinstance(one.type, click.Choice))
    for name, below in getattr(command, "commands", {}).items():
        yield from options(below, f"{path} {name}".strip())


OPTIONS = list(options(main))


def test_there_are_menus_on_every_kind_of_command() -> None:
    found = {(path, one.opts[-1]) for path, one in OPTIONS}
    assert {("train", "--preset"), ("train", "--track"), ("predict", "--device"), ("export", "--format"), ("completion", "shell"),
            ("table mmf-vqa2", "--only"), ("table coco", "--annotations"), ("card", "--language"), ("", "--lang")} <= found  # fmt: skip


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=[f"{path} {one.opts[-1]}" for path, one in OPTIONS])
def test_every_option_with_a_menu_suggests_the_word_that_is_meant(path: str, option: click.Parameter) -> None:
    kind = option.type
    assert isinstance(kind, Menu), "declare it by cli.mistakes.Menu"
    for choice in kind.choices:
        assert kind.convert(choice, option, None) == choice
        with pytest.raises(click.BadParameter) as caught:
            kind.convert(misspelt(choice), option, None)
        assert caught.value.message.endswith(f"; did you mean {choice!r}?"), caught.value.message
    with pytest.raises(click.BadParameter) as caught:
        kind.convert("§§§", option, None)
    assert caught.value.message == f"'§§§' is not one of {', '.join(map(repr, kind.choices))}"


SETTINGS = [one for one in settings_of(Experiment) if one.choices and one.choices != ("true", "false")]


def tree_for(setting: Setting, choice: str) -> tuple[dict[str, Any], list[str]]:
    """Settings in which a setting may be the given word, and its path there."""
    field = "specs" if "tabular" in setting.kinds else "title"
    if setting.path == ("model", "encoders", "FIELD", "kind"):
        kinds = [one.kind for one in MODALITIES if choice in encoders_of(one.forms)]
        field = next(name for name, settings in TREE["fields"].items() if settings["kind"] in kinds)
    names = {"TARGET": "label", "FIELD": field}
    path, menu = ([names.get(part, part) for part in parts] for parts in (setting.path, setting.menu))
    tree = TREE
    if "each" in path:
        tree, _ = merge(tree, [*path[: path.index("each")], "kind"], "frames")
    if setting.kinds:
        configs = {config.model_fields["kind"].default: config for config in (*TASKS, *MODALITY_CONFIGS, *ENCODERS, *FUSIONS)}
        able = [kind for kind in setting.kinds if kind in configs and choice in _choices_at(configs[kind], setting.path[len(menu) :])]
        tree, _ = merge(tree, [*menu, "kind"], (able or setting.kinds)[0])
    return tree, path


def _choices_at(config: Any, path: Sequence[str]) -> Sequence[str]:
    """The words that a setting of a component may be."""
    return choices_of(config.model_fields[path[0]].annotation) if len(path) == 1 and path[0] in config.model_fields else ()


@pytest.mark.parametrize("setting", SETTINGS, ids=[".".join(one.path) for one in SETTINGS])
def test_every_setting_with_a_menu_suggests_the_word_that_is_meant(setting: Setting) -> None:
    for choice in setting.choices:
        tree, path = tree_for(setting, choice)
        tree, _ = merge(tree, path, misspelt(choice))
        with pytest.raises(pm.ConfigError) as caught:
            Experiment.of(tree)
        lines = [line for line in str(caught.value).splitlines() if line.startswith(".".join(path))]
        meant = f"; did you mean {choice!r}?", f" {'.'.join(path)}={choice}"
        assert any(text in line for line in lines for text in meant), (choice, str(caught.value))


def test_arguments_of_python_with_a_menu_suggest_the_word_that_is_meant() -> None:
    with pytest.raises(pm.ConfigError, match=r"device: cppu is not a device; expected one of auto, .*cpu; did you mean 'cpu'"):
        pick_device("cppu", "device")
    with pytest.raises(pm.ConfigError, match=r"on_error: found 'blnk'; expected one of error, skip, blank, or None; did you mean 'blank'"):
        TableReader(None, {}, None, "blnk")  # type: ignore[arg-type]
    with pytest.raises(pm.ConfigError, match=r"format: found 'onx'; expected one of onnx, .*; did you mean 'onnx'"):
        export("run", "out", format="onx")  # type: ignore[arg-type]
    with pytest.raises(pm.ConfigError, match="by: found 'fields'; expected 'field' or 'column'; did you mean 'field'"):
        check_arguments("fields", 5, 100)  # type: ignore[arg-type]
