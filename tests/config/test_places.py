"""A value of another kind in the place of any setting or section is answered with a message that names its path."""

from __future__ import annotations

from typing import Any

import pytest

from builders.settings import TREE
from polymodal.config import merge, override, quote, settings_of
from polymodal.errors import ConfigError
from polymodal.experiment import Experiment

NAMES = {"TARGET": "label", "FIELD": "photo"}
VALUES: list[Any] = [
    False, True, 3, -1, 1.5, "x", "", [1], [], [[1]], [None], {}, {"a": 1}, {"": 1}, {"kind": 3}, {"kind": None}, {"kind": "x"}, None,
]  # fmt: skip
NODES = sorted({setting.path[:end] for setting in settings_of(Experiment) for end in range(1, len(setting.path) + 1)})
TAGS = (".int:", ".str:", "literal[", "dict[", "list[", "function-", "instance of", "valid dictionary")
"""Words of pydantic, which are no parts of a path and explain nothing."""


@pytest.mark.parametrize("node", NODES, ids=[".".join(node) for node in NODES])
def test_any_value_in_any_place_is_accepted_or_answered_with_its_path(node: tuple[str, ...]) -> None:
    kinds = {(setting.menu, kind) for setting in settings_of(Experiment) if setting.path[: len(node)] == node for kind in setting.kinds}
    path = [NAMES.get(part, part) for part in node]
    for menu, kind in [((), ""), *sorted(kinds)[:3]]:
        tree = TREE
        if kind and len(menu) < len(node):
            tree, _ = merge(tree, [*(NAMES.get(part, part) for part in menu), "kind"], kind)
        for value in VALUES:
            message = ""
            try:
                Experiment.of(merge(tree, path, value)[0])
            except ConfigError as error:
                message = str(error)
            assert not any(tag in message for tag in TAGS), message
            assert all(line.count("; write ") < 2 for line in message.splitlines()), message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("model.trees=false", "model.trees: found False; expected settings below it, one of rounds, learning_rate, leaves, bags, boosters, "
                              "repeats, max_rows; write model.trees=null for none"),
        ("model.trees=true", "write model.trees={} for its defaults"),
        ("model.trees=3", "write model.trees.rounds=VALUE"),
        ("model.trees=[1]", "model.trees: found [1]; expected settings below it, one of rounds"),
        ("model.trees.roundz=3", "model.trees.roundz: unknown setting; did you mean 'model.trees.rounds'?"),
        ("training=fast", "write training.preset=fast"),
        ("training=3", "write training.preset=VALUE"),
        ("report=zh", "report: found 'zh'; expected settings below it, one of examples, language; write report.language=zh"),
        ("data.split=5", "write data.split.kind=VALUE"),
        ("training.rates=3", "training.rates: found 3; expected settings below it; write training.rates.NAME=3"),
        ("tasks.label.class_weight=3", "tasks.label.class_weight: found 3; expected 'balanced' or {NAME: a number}"),
        ("tasks.label.class_weight=balancd", "expected 'balanced' or {NAME: a number}; did you mean 'balanced'?"),
        ("tasks.label.class_weight={a: x}", "tasks.label.class_weight.a: found 'x'; input should be a valid number"),
        ("tasks.label.missing=[[1]]", "tasks.label.missing.0: found [1]; expected text, a whole number, a number or true or false; "
                                      "it is a single value, not a list; write tasks.label.missing.0=1"),
        ("fields.specs.decimal=;", "fields.specs.decimal: found ';'; expected '.' or ',' or {NAME: '.' or ','}"),
        ("fields.specs.decimal={price: x}", "fields.specs.decimal.price: found 'x'; input should be '.' or ','"),
        ("training.track=tensorbord", "training.track: found 'tensorbord'; input should be 'mlflow', 'wandb' or 'tensorboard'; did you mean 'tensorboard'?"),
        ("training.track=[wandb,tensorbord]", "training.track.1: found 'tensorbord'"),
        ("training.epoch=3", "training.epoch: unknown setting; did you mean 'training.epochs'?"),
        ("training.preset=bset", "did you mean 'best'?"),
        ("training.preset=vilt", "did you mean 'mmf/vilt'?"),
    ],
)  # fmt: skip
def test_the_message_states_what_to_write(given: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Experiment.of(override(TREE, [given])[0])
    assert len(str(caught.value).splitlines()) == 1, str(caught.value)
    assert message in str(caught.value)


def test_what_a_message_tells_to_write_is_accepted() -> None:
    for given in ("model.trees=null", "model.trees={}", "training.preset=fast", "report.language=zh", "tasks.label.class_weight=balanced"):
        Experiment.of(override(TREE, [given])[0])
    name = quote("a.b")
    with pytest.raises(ConfigError, match=r'fields\."a\.b"\.max_char: unknown setting; did you mean \'fields\."a\.b"\.max_chars\'\?'):
        Experiment.of(override(TREE, [f"fields.{name}={{kind: text, column: title, max_char: 3}}"])[0])
