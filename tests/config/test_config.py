"""Tests of the configuration: reading, overrides, explanations, and errors with the path and the nearest valid name."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from builders.settings import TREE
from polymodal.config import External, explain, merge, override, parse_yaml, settings_of, split_override
from polymodal.errors import ConfigError
from polymodal.experiment import Experiment, with_encoders
from polymodal.modalities import TextConfig


def refused(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        Experiment.of(tree)
    return str(caught.value)


# -- wrong settings ------------------------------------------------------------------------------------------------------


def test_a_wrong_key_names_its_path_and_the_nearest_right_one() -> None:
    tree = {**TREE, "model": {"encoders": {"photo": {"kind": "vit", "depht": 3}}}}
    assert refused(tree) == "model.encoders.photo.depht: unknown setting; did you mean 'model.encoders.photo.depth'?"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"trainig": {}}, "trainig: unknown setting; did you mean 'training'?"),
        ({"training": {"lr_": 1}}, "training.lr_: unknown setting; did you mean 'training.lr'?"),
        ({"fields": {"a.b": {"kind": "text", "column": "x", "max_char": 3}}}, "fields.\"a.b\".max_char: unknown setting; did you mean 'fields.\"a.b\".max_chars'?"),
        ({"model": {"fusion": {"kind": "lowrnk"}}}, "model.fusion.kind: 'lowrnk' is not on the menu"),
        ({"model": {"fusion": {"kind": "lowrnk"}}}, "did you mean 'lowrank'?"),
        ({"model": {"fusion": {"rank": 3}}}, "model.fusion.kind: missing; expected one of concat, lowrank, attention"),
        ({"fields": {"photo": {"kind": "image"}}}, "fields.photo.column: missing"),
        ({"training": {"epochs": 0}}, "training.epochs: found 0; input should be greater than or equal to 1"),
        ({"data": {"split": {"kind": "group"}}}, "data.split: "),
        ({"data": {"split": {"kind": "group"}}}, "kind: group needs 'group'"),
        ({"training": {"time_limit": "soon"}}, "expected a time such as 90s, 5m or 1h30m"),
        ({"training": {"lr": float("nan")}}, "training.lr: found nan"),
    ],
)  # fmt: skip
def test_faults_are_told_by_their_path(tree: dict[str, Any], said: str) -> None:
    assert said in refused({**TREE, **tree})


def test_all_faults_are_told_at_once_also_those_of_one_node() -> None:
    tree = {**TREE, "training": {"epoch": 3, "bach_size": 2, "lr": -1, "workers": "two"}, "model": {"widht": 3}, "seed": -4}
    said = refused(tree).splitlines()
    for start in ("training.epoch:", "training.bach_size:", "training.lr:", "training.workers:", "model.widht:", "seed:"):
        assert any(line.startswith(start) for line in said), (start, said)
    assert len(said) == 6


def test_what_does_not_go_together_is_told_in_one_clean_sentence() -> None:
    tree = {**TREE, "model": {"encoders": {"tite": {"kind": "bag"}}}}
    assert refused(tree) == "model.encoders.tite: no such field; did you mean 'title'?"
    tree = {**TREE, "model": {"encoders": {"title": {"kind": "convnet"}}}}
    assert refused(tree).startswith("model.encoders.title: an encoder of 'pixels' cannot read a field of kind 'text'")
    tree = {**TREE, "tasks": {"title": {"kind": "multiclass", "column": "title"}}}
    assert "reads the target 'title'" in refused(tree)


# -- numbers, overrides --------------------------------------------------------------------------------------------------


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("training: {lr: 3e-4, epochs: '7', time_limit: 1h30m}\n")
    training = Experiment.read(file).training
    assert (training.lr, training.epochs, training.time_limit) == (3e-4, 7, 5400.0)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ('fields."net.weight".kind=tabular', ["fields", "net.weight", "kind"], "tabular"),
        ('tasks."a=b \\"c\\"".column="x y"', ["tasks", 'a=b "c"', "column"], "x y"),
        ("tasks.答案.positive=yes", ["tasks", "答案", "positive"], "yes"),
        ("tasks.a.positive=no", ["tasks", "a", "positive"], "no"),
        ("tasks.a.positive=true", ["tasks", "a", "positive"], True),
        ("data.split={kind: group, group: shop}", ["data", "split"], {"kind": "group", "group": "shop"}),
        ("data.table=2020-01-02", ["data", "table"], "2020-01-02"),
        ("training.patience=null", ["training", "patience"], None),
        ("a.b=x=y", ["a", "b"], "x=y"),
    ],
)
def test_overrides_are_split_into_path_and_value(text: str, path: list[str], value: object) -> None:
    assert split_override(text) == (path, value)


@pytest.mark.parametrize("text", ["training.lr", "=3", "a..b=1", 'fields."a.kind=text', "a b=1", ""])
def test_what_is_no_override_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(ConfigError, match="path=value"):
        split_override(text)


def test_changing_a_kind_drops_the_settings_of_the_old_one_and_says_so() -> None:
    tree = {"model": {"fusion": {"kind": "lowrank", "rank": 7}}}
    changed, notes = override(tree, ["model.fusion.kind=attention", "model.fusion.heads=2"])
    assert changed["model"]["fusion"] == {"kind": "attention", "heads": 2}
    assert notes == ["kind lowrank -> attention: dropped its settings rank"]
    assert tree["model"]["fusion"] == {"kind": "lowrank", "rank": 7}, "the tree that was given is left as it is"
    assert override(tree, ["model.fusion.kind=lowrank"]) == (tree, [])


@pytest.mark.parametrize("old", ["text", "image"])
def test_a_field_that_changes_its_kind_keeps_its_columns(old: str) -> None:
    tree = {**TREE, "fields": {"net.weight": {"kind": old, "column": "net.weight"}}}
    changed, _ = override(tree, ['fields."net.weight".kind=tabular'])
    assert Experiment.of(changed).fields["net.weight"].sources == ("net.weight",)
    back, _ = override(changed, [f'fields."net.weight".kind={old}'])
    assert Experiment.of(back).fields["net.weight"].sources == ("net.weight",)


@pytest.mark.parametrize(
    ("tree", "override_", "said"),
    [
        ({"seed": 3}, "seed.deep=4", "seed.deep: seed is a value (3), with no settings below it; write seed=4"),
        ({"training": {"lr": 0.1}}, "training.lr.x.y=2", "training.lr.x.y: training.lr is a value (0.1), with no settings below it; write training.lr=2"),
        ({"data": {"root": ["a"]}}, "data.root.0=b", "data.root.0: data.root is a value (['a']), with no settings below it; write data.root=[b]"),
        ({"fields": {"a.b": 3}}, 'fields."a.b".c=4', 'fields."a.b".c: fields."a.b" is a value (3), with no settings below it; write fields."a.b"=4'),
    ],
)  # fmt: skip
def test_an_override_below_a_value_is_refused_with_what_to_write(tree: dict[str, Any], override_: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(tree, [override_])
    assert str(caught.value) == said
    path, value = split_override(override_)
    with pytest.raises(ConfigError, match="is a value"):
        merge(tree, path, value)


def test_the_settings_of_a_tree_are_found_with_how_they_are_written() -> None:
    settings = {".".join(setting.path): setting for setting in settings_of(Experiment)}
    assert settings["training.epochs"].written("3") == "training.epochs=3"
    assert settings["training.device"].choices == ("auto", "cpu", "cuda", "mps")
    assert settings["training.augment"].written(None) == "training.augment=true"
    assert settings["training.rates.FIELD"].written("0.3") == "training.rates.FIELD=0.3"
    assert settings["model.fusion.kind"].name == "fusion"
    assert settings["model.fusion.rank"].usual, "the usual fusion has it"
    assert settings["model.fusion.hidden"].kinds == ("tensor", "mixture")
    assert settings["model.encoders.FIELD.tune"].written("lora") == "model.encoders.FIELD.kind=pretrained model.encoders.FIELD.tune=lora"
    assert settings["fields.FIELD.max_chars"].written("9") == "fields.FIELD.max_chars=9", "a field's kind is what its column is"
    assert [setting.name for setting in settings_of(TextConfig)][:2] == ["on_error", "kind"], "of a part of the tree as well"
    depths = [len(setting.path) for setting in settings_of(Experiment)]
    assert depths == sorted(depths)


def test_of_many_faults_some_are_told_and_long_values_are_cut() -> None:
    said = refused({f"setting_{at}": 1 for at in range(20_000)}).splitlines()
    assert len(said) == 51
    assert said[-1] == "and 19,950 more"
    for tree in ({"fields": "y" * 10**6}, {"fields": {"x": {"kind": "y" * 10**6}}}, {"data": "y" * 10**6}, {"data": {"root": "y" * 10**6}},
                 {**TREE, "model": {"encoders": {"photo": {"kind": "y" * 10**6}}}}, {"training": {"device": "y" * 10**6}}):  # fmt: skip
        assert len(refused(tree)) < 2_000


@pytest.mark.parametrize(
    "wrong", [3, "x", ["a"], [["a"]], {"kind": 3}, {"kind": ["a"]}, {"columns": 5}, {"a": {"b": 1}}, True, 1.5, {"x": None}]
)
def test_wrong_nodes_anywhere_are_told_and_never_a_traceback(wrong: Any) -> None:
    for tree in ({"fields": wrong}, {"fields": {"photo": wrong}}, {"tasks": wrong}, {"tasks": {"y": wrong}}, {"data": wrong}, {"model": wrong},
                 {"training": wrong}, {"model": {"encoders": wrong}}, {**TREE, "model": {"encoders": {"photo": wrong}}},
                 {**TREE, "fields": {**TREE["fields"], "phto": wrong}}, {"data": {"split": wrong}}, {"model": {"fusion": wrong}}):  # fmt: skip
        for check in (Experiment.of, Experiment.check_tree):
            with contextlib.suppress(ConfigError):
                check(tree)


# -- files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nseed: 2\n", "line 2: not valid YAML ('seed' is given twice)"),
        ("a: !!python/object/apply:os.system ['echo hit']\n", "not valid YAML"),
        ("a: !!python/name:os.system\n", "not valid YAML"),
        ("a: [1, 2\n", "not valid YAML"),
        ("? {a: 1}\n: 2\n", "a key must be text"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Experiment.read(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_and_a_file_of_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Experiment.read(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(ConfigError, match="found list; expected a mapping"):
        Experiment.read(tmp_path / "list.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"seed: \xff\xfe\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        Experiment.read(tmp_path / "bad.yaml")


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("data: {table: a/b.csv, test: /abs/t.csv, root: [pictures]}\n")
    data = Experiment.read(tmp_path / "run.yaml").data
    assert (data.table, data.test, data.root) == (str(tmp_path / "a/b.csv"), "/abs/t.csv", [str(tmp_path / "pictures")])


NAMES = ["a.b", "items", "1", "1e3", "yes", "null", "a: b", "# c", "标题", "x\ny", '"q"', "2020-01-02", "~", " lead", "a=b", "{", "-", "é" * 70, "0x1f", "1_000"]  # fmt: skip


def test_a_written_run_yaml_reads_back_equal(tmp_path: Path) -> None:
    fields = {name: {"kind": "text", "column": name} for name in NAMES}
    tree = {
        "fields": {**fields, "t": {"kind": "tabular", "columns": [f"{name}2" for name in NAMES], "types": {f"{NAMES[0]}2": "date"}}},
        "tasks": {
            "y?": {"kind": "binary", "column": "y?", "positive": "no", "class_weight": {"no": 2, "yes": 1}},
            "n": {"kind": "regression", "column": "n", "unit": "元/kg: # 1", "transform": "log"},
        },
        "model": {"fusion": {"kind": "mine.of:Own", "settings": {"a": [1, {"b": None}], "c": "yes"}}},
        "training": {"lr": 1e-7, "time_limit": "5m"},
        "seed": 12345678901234567,
    }
    experiment, reasons = with_encoders(Experiment.of(tree), 100)
    text = explain(experiment, {**reasons, 'fields."a.b"': "because:\n# a reason"})
    file = tmp_path / "run.yaml"
    file.write_text(text, encoding="utf-8")
    assert Experiment.read(file).tree() == experiment.tree()
    assert Experiment.of(json.loads(json.dumps(experiment.tree()))) == experiment
    assert "# because: # a reason" in text


def test_every_setting_in_a_written_file_says_what_it_does() -> None:
    lines = explain(with_encoders(Experiment.of(TREE), 100)[0], {}).splitlines()
    bare = [line for line in lines if "#" not in line and not line.rstrip().endswith(":") and "kind:" not in line]
    assert not bare, bare


def test_the_schema_is_json_and_says_every_kind() -> None:
    schema = json.loads(json.dumps(Experiment.model_json_schema()))
    text = json.dumps(schema)
    for kind in ("image", "convnet", "lowrank", "multilabel", "tabular_transformer"):
        assert f'"const": "{kind}"' in text
    assert schema["properties"].keys() >= {"data", "fields", "tasks", "model", "training", "seed"}
    assert "peak learning rate" in text.casefold(), "descriptions come with it"


# -- components from elsewhere -------------------------------------------------------------------------------------------


def test_a_component_from_elsewhere_is_imported_when_it_is_built_never_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere_fusion.py").write_text("from polymodal.fusions import Concat\nclass Mine(Concat):\n    def __init__(self, settings, widths, width):\n        super().__init__(widths)\n        self.settings = settings\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    experiment = Experiment.of({**TREE, "model": {"fusion": {"kind": "elsewhere_fusion:Mine", "settings": {"a": 1}}}})
    assert "elsewhere_fusion" not in sys.modules
    fusion = experiment.model.fusion
    assert isinstance(fusion, External)
    assert fusion.load()(fusion.settings, widths={"a": 3, "b": 4}, width=8).width_out == 7
    assert "elsewhere_fusion" in sys.modules


def test_a_component_that_cannot_be_imported_is_a_config_error() -> None:
    for kind in ("no_such_module_at_all:X", "json:NoSuchClass"):
        with pytest.raises(ConfigError, match="cannot be imported"):
            External(kind=kind).load()
    assert "neither on the menu nor of the form module:Class" in refused({"model": {"fusion": {"kind": "a:b:c"}}})
    assert "is not on the menu" in refused({"fields": {"x": {"kind": "os:system", "column": "x"}}})


def test_yaml_words_of_old_are_text_and_only_true_and_false_are_truths() -> None:
    assert parse_yaml("[yes, no, on, off, Y, n, true, false]", "x") == ["yes", "no", "on", "off", "Y", "n", True, False]


@pytest.mark.parametrize(
    "override",
    ["seed=!!timestamp x", 'seed=!!int ""', 'seed=!!float ""', "seed=!!bool x", 'a."\\x".b=1', 'fields."a\0".kind=text', 'data.root=["a\\0b"]',
     'data.root=["\\ud800"]', "data.cache_gb=1e300", 'model.fusion.kind=".:x"', 'model.encoders.x.kind="os:system"', 'data.encoding="utf-8\\0x"'],
)  # fmt: skip
def test_no_override_is_a_traceback(tmp_path: Path, override: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text("t,x,y\n" + "".join(f"some word {at},{at * 0.5},{'ab'[at % 2]}\n" for at in range(40)))
    with pytest.raises(pm.UserError):
        pm.train(table, override, "training.epochs=1", target="y", columns={"t": "text"})
    with pytest.raises(pm.DataError):
        pm.train("a\0.csv", target="y")
