"""The request behind train, check, compare, inspect and init: each setting is declared once, and everything else follows."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Unpack

import click
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.tables import shop
from polymodal.cli.main import main
from polymodal.cli.options import settings_options
from polymodal.config import settings_of as settings_of_config
from polymodal.experiment import Experiment
from polymodal.inspection import init
from polymodal.request import ComparisonSettings, Request, Setting, TableSettings, TrainingSettings, accepts, declared, listed

TABLE = ["target", "columns", "ignore", "group", "split", "root", "seed", "time_limit", "encoding"]
KINDS: dict[str, tuple[Any, type]] = {
    "train": (pm.train, TrainingSettings), "check": (pm.check, TrainingSettings), "compare": (pm.compare, ComparisonSettings),
    "tune": (pm.tune, TrainingSettings),
    "inspect": (pm.inspect, TableSettings), "init": (init, TableSettings),
}  # fmt: skip


def test_the_settings_of_each_kind() -> None:
    assert list(declared(TableSettings)) == TABLE
    assert list(declared(ComparisonSettings)) == [*TABLE, "on_error"]
    assert list(declared(TrainingSettings)) == [*TABLE, "on_error", "preset", "track", "valid", "test"]


@pytest.mark.parametrize("name", KINDS)
def test_functions_and_commands_accept_the_declared_settings(name: str) -> None:
    function, kind = KINDS[name]
    parameters = inspect.signature(function).parameters
    options = {option.name: option for option in main.commands[name].params}
    for setting, declaration in declared(kind).items():
        assert parameters[setting].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[setting].default is None
        assert f":param {setting}: " in (function.__doc__ or "")
        assert options[setting].opts == [declaration.flag]
        assert getattr(options[setting], "help", None) == declaration.help
    missing = set(declared(TrainingSettings)) - set(declared(kind))
    assert not missing & set(parameters)
    assert not missing & set(options)
    assert not [parameter for parameter in parameters.values() if parameter.kind is inspect.Parameter.VAR_KEYWORD]


def test_every_path_is_a_setting_of_run_yaml() -> None:
    known = {".".join(setting.path) for setting in settings_of_config(Experiment)}
    assert {setting.path for setting in declared(TrainingSettings).values()} - {""} <= known


def test_a_request_contains_what_was_given() -> None:
    request = Request.of(
        "t.csv", ("training.epochs=3",), {"target": (), "columns": {}, "group": "", "split": None, "seed": 0, "ignore": "x"}
    )
    assert request == Request("t.csv", ("training.epochs=3",), {"seed": 0, "ignore": "x"})
    assert request.lines() == ["seed=0"]
    given: dict[str, Any] = {"on_error": "skip", "time_limit": "5m", "encoding": "gb18030", "seed": 7, "group": "g"}
    assert Request.of("t.csv", (), given).lines() == [
        'data.on_error="skip"', 'training.time_limit="5m"', 'data.encoding="gb18030"', "seed=7",
    ]  # fmt: skip
    with pytest.raises(AttributeError):
        request.table = "other.csv"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (pm.train, {"grup": "x"}, "train: unexpected argument 'grup'; did you mean 'group'?"),
        (pm.train, {"output": "x"}, "train: unexpected argument 'output'; did you mean 'out'?"),
        (pm.train, {"epochs": 2}, "train: unexpected argument 'epochs'; it is a setting, which is passed as text: train(table, 'training.epochs=2')"),
        (pm.train, {"learning_rate": 0.1}, "train(table, 'training.lr=0.1')"),
        (pm.train, {"training": {"epochs": 2, "lr": 0.1}}, "train(table, 'training.epochs=2', 'training.lr=0.1')"),
        (pm.train, {"training": {"a b": 2}}, "train(table, 'training.\"a b\"=2')"),
        (pm.train, {"training": 3}, "settings are passed as text: train(table, 'path=value'), all of them: polymodal schema"),
        (pm.train, {"no_baselines": True}, "train(table, 'training.baselines=false')"),
        (pm.train, {"test_size": 0.2}, "train(table, 'data.split.test=0.2')"),
        (pm.train, {"device": "gpu"}, "train(table, 'training.device=cuda'), one of auto, cpu, cuda, mps"),
        (pm.train, {"encoder": "vit"}, "train(table, 'model.encoders.FIELD.kind=vit'); FIELD is the name of a field"),
        (pm.train, {"模型": "x"}, "train(table, 'model.encoders.FIELD.kind=pretrained', 'model.encoders.FIELD.model=x'); FIELD is"),
        (pm.train, {"epochs": object()}, "train(table, 'training.epochs=VALUE')"),
        (pm.train, {"epochs": list(range(99))}, "train(table, 'training.epochs=VALUE')"),
        (pm.train, {"nothing_like_it": 1}, "unexpected argument 'nothing_like_it'; expected one of target, columns, ignore"),
        (pm.compare, {"epochs": 2}, "compare(table, 'training.epochs=2')"),
        (pm.compare, {"fusion": "late"}, "compare: unexpected argument 'fusion'; did you mean 'fusions'?"),
        (pm.compare, {"preset": "fast"}, "compare(table, 'training.preset=fast') (or 'model.preset=fast')"),
        (partial(pm.tune, over=[]), {"epoch": 2}, "tune(table, 'training.epochs=2')"),
        (partial(pm.tune, over=[]), {"n_trials": 2}, "tune: unexpected argument 'n_trials'; did you mean 'trials'?"),
        (pm.check, {"epochs": 2}, "check(table, 'training.epochs=2')"),
        (pm.inspect, {"valid": 1}, "inspect: unexpected argument 'valid'; it is a setting"),
        (init, {"tagret": "x"}, "init: unexpected argument 'tagret'; did you mean 'target'?"),
    ],
)  # fmt: skip
def test_an_unknown_argument_is_answered_with_what_to_write(function: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        function("no such table.csv", **given)
    assert message in str(caught.value)


def test_one_name_or_several() -> None:
    assert listed("abc") == ["abc"]
    assert listed(Path("a")) == ["a"]
    assert listed(("a", Path("b"))) == ["a", "b"]
    assert listed(()) == []


def test_a_new_setting_is_one_declaration() -> None:
    class More(TrainingSettings, total=False):
        epochs: Annotated[int | None, Setting("--epochs", "Times that every row is seen (training.epochs).", "training.epochs", least=1)]

    @accepts(More)
    def function(table: Any, *overrides: str, out: str | None = None, **settings: Unpack[TrainingSettings]) -> dict[str, Any]:
        """Do something.

        :settings:
        :param out: a folder
        """
        return dict(settings)

    names = list(inspect.signature(function).parameters)
    assert names == ["table", "overrides", *TABLE, "on_error", "preset", "track", "valid", "test", "epochs", "out"]
    assert ":param epochs: times that every row is seen (training.epochs)\n" in (function.__doc__ or "")
    assert ":settings:" not in (function.__doc__ or "")

    @click.command()
    @click.argument("table")
    @click.argument("overrides", nargs=-1)
    @settings_options(More)
    def command(table: str, overrides: tuple[str, ...], **settings: Any) -> None:
        click.echo(f"{overrides} {settings['epochs']} {settings['target']}")

    words = ["t.csv", "seed=1", "--epochs", "3", "--target", "a", "--target", "b", "--pretrained"]
    assert CliRunner().invoke(command, words).output == "('seed=1', 'model.preset=pretrained') 3 ['a', 'b']\n"
    assert "0 is not in the range x>=1" in CliRunner().invoke(command, ["t.csv", "--epochs", "0"]).output


def test_overrides_take_precedence_over_settings_everywhere(tmp_path: Path) -> None:
    table = shop(tmp_path, 30)
    quick = ("seed=5", "training.time_limit=60s")
    assert "seed: 5" in init(table, *quick, target="label", seed=3, time_limit="5m", out=None)
    profile = pm.inspect(table, *quick, target="label", seed=3, time_limit="5m")
    assert profile.experiment is not None
    assert (profile.experiment.seed, profile.experiment.training.time_limit) == (5, 60)


def test_a_mapping_in_the_place_of_settings_is_refused_with_the_settings_as_text() -> None:
    message = r"train: found dict in the place of a setting; expected text: train\(table, 'training.epochs=2'\)"
    with pytest.raises(TypeError, match=message):
        pm.train([{"x": 1.0, "y": "a"}], {"training.epochs": 2}, target="y")  # type: ignore[arg-type]


def test_a_verbosity_that_is_no_number_is_refused() -> None:
    with pytest.raises(pm.ConfigError, match="verbose: found 'yes'; expected True, False, 0, 1 or 2"):
        pm.train([{"x": at % 7 / 3, "y": "ab"[at % 2]} for at in range(40)], target="y", verbose="yes")  # type: ignore[arg-type]
