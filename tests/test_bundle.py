"""Tests of bundles: the same bits on another machine, and errors for altered or newer bundles and external code."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.tables import FAST, shop
from polymodal.runs.card import write_card
from polymodal.storage import checksum_of

CHECKED = ("bundle.json", "states.json", "weights.safetensors")
FILES = (*CHECKED, "README.md")


@pytest.fixture
def copy(shop_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(shop_run / "bundle", tmp_path / "copy")
    return tmp_path / "copy"


PREDICT = """
import sys, numpy as np, polymodal as pm
model = pm.load(sys.argv[1])
np.savez(sys.argv[3], scores=model.predict_proba(sys.argv[2]), embedding=model.embed(sys.argv[2]))
"""


def test_copied_elsewhere_and_loaded_in_a_new_process_it_predicts_the_same_bits(
    copy: Path, shop_run: Path, shop_folder: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PREDICT, str(copy), str(shop_folder / "other.csv"), str(tmp_path / "out.npz")]
    subprocess.run(command, check=True, cwd=tmp_path)
    found = np.load(tmp_path / "out.npz")
    model = pm.load(shop_run)
    np.testing.assert_array_equal(found["scores"], model.predict_proba(shop_folder / "other.csv"))
    np.testing.assert_array_equal(found["embedding"], model.embed(shop_folder / "other.csv"))


def test_what_train_returns_predicts_what_is_saved_and_needs_no_table(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    table = shop(folder, 60)
    model = pm.train(table, *FAST, "training.epochs=1", target="label", out=tmp_path / "run")
    expected = model.predict_proba(table)
    saved = model.save(tmp_path / "elsewhere" / "bundle")
    table.rename(folder / "moved.csv")
    for place in (tmp_path / "run", saved):
        np.testing.assert_array_equal(pm.load(place).predict_proba(folder / "moved.csv"), expected)
    again = pm.load(saved).save(tmp_path / "twice")
    for name in FILES:
        assert (again / name).read_bytes() == (saved / name).read_bytes(), name


def test_a_bundle_holds_plain_files_only(copy: Path) -> None:
    assert sorted(path.name for path in copy.iterdir()) == sorted(FILES)
    head = json.loads((copy / "bundle.json").read_text())
    assert head["format"] == 1
    assert head["metrics"]["validation"]["rows"] == 101
    card = (copy / "README.md").read_text()
    for word in ("label", "photo", "标题", "multiclass"):
        assert word in card


def refused(folder: Path, **settings: Any) -> str:
    with pytest.raises(pm.BundleError) as caught:
        pm.load(folder, **settings)
    return str(caught.value)


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("how", ["flip", "cut", "gone", "empty", "longer"])
def test_an_altered_file_is_refused_by_name(copy: Path, name: str, how: str) -> None:
    path = copy / name
    body = bytearray(path.read_bytes())
    if how == "flip":
        body[len(body) // 2] ^= 1
    path.write_bytes({"cut": bytes(body[:-10]), "empty": b"", "longer": bytes(body) + b" 0"}.get(how, bytes(body)))
    if how == "gone":
        path.unlink()
    said = refused(copy)
    assert name in said
    assert str(copy) in said


def test_the_model_card_may_be_edited_and_deleted(copy: Path, shop_run: Path, shop_folder: Path) -> None:
    expected = pm.load(copy, root=[shop_folder]).predict_proba(shop_folder / "other.csv")
    write_card(shop_run, copy / "README.md", overwrite=True)
    np.testing.assert_array_equal(pm.load(copy, root=[shop_folder]).predict_proba(shop_folder / "other.csv"), expected)
    (copy / "README.md").unlink()
    np.testing.assert_array_equal(pm.load(copy, root=[shop_folder]).predict_proba(shop_folder / "other.csv"), expected)


def test_names_from_a_table_stay_text_in_the_model_card(tmp_path: Path) -> None:
    column = "a`b` <i>c</i> [d](https://e.com) www.f.com g@h.com"
    rows = [{column: float(at % 7), "y": "yn"[at % 2]} for at in range(60)]
    settings = ("training.epochs=1", "training.baselines=false", "data.split.kind=random", "data.split.valid=0.2")
    pm.train(rows, *settings, target="y", out=tmp_path / "run", columns={column: "number"})
    shown = "a\\`b\\` \\<i\\>c\\</i\\> \\[d\\](https\\://e.com) www\\.f.com g\\@h.com"
    assert f"column '{shown}'" in (tmp_path / "run" / "bundle" / "README.md").read_text()


@pytest.mark.parametrize(
    ("key", "value"), [("members", 1), ("block", 64), ("experiment", {}), ("metrics", {}), ("sha256", {}), ("torch", "0")]
)
def test_an_altered_setting_is_refused(copy: Path, key: str, value: object) -> None:
    head = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({**head, key: value}))
    assert "altered" in refused(copy)


def resealed(folder: Path, **changes: Any) -> None:
    """What somebody does who knows the format."""
    head = json.loads((folder / "bundle.json").read_text())
    head |= changes
    head.pop("check")
    head["sha256"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in CHECKED[1:]}
    (folder / "bundle.json").write_text(json.dumps(head | {"check": checksum_of(head)}))


def test_a_newer_format_says_so_before_anything_else(copy: Path) -> None:
    head = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({"format": 2, "polymodal": "9.0", "anything": head}))
    said = refused(copy)
    assert "bundle format 2, written by polymodal 9.0" in said
    assert "upgrade" in said


class Evil:
    def __reduce__(self) -> Any:
        return (exec, ("import pathlib; pathlib.Path('hit').touch()",))


def test_pickles_are_never_opened(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy.parent)
    for body in (pickle.dumps(Evil()), b"PK\x03\x04"):
        (copy / "weights.safetensors").write_bytes(body)
        resealed(copy)
        assert "do not fit together" in refused(copy)
    torch.save({"0.x": torch.zeros(1)}, copy / "weights.safetensors")
    resealed(copy)
    refused(copy)
    (copy / "states.json").write_bytes(pickle.dumps(Evil()))
    resealed(copy)
    refused(copy)
    assert not Path("hit").exists()


def test_parts_that_do_not_fit_together_are_refused(copy: Path) -> None:
    body = (copy / "states.json").read_text()
    broken: list[Any] = [{}, {"fields": {}, "tasks": {}}, [], 3, None]
    for states in broken:
        (copy / "states.json").write_text(json.dumps(states))
        resealed(copy)
        assert "do not fit together" in refused(copy)
    (copy / "states.json").write_text(body)
    resealed(copy)
    wrong: list[dict[str, Any]] = [{"members": 5}, {"experiment": {"no": 1}}, {"experiment": 3}, {"members": "2"}]
    for changes in wrong:
        original = (copy / "bundle.json").read_bytes()
        resealed(copy, **changes)
        refused(copy)
        (copy / "bundle.json").write_bytes(original)
    pm.load(copy)


def test_code_that_a_bundle_names_runs_only_when_it_is_trusted(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_code.py").write_text("import pathlib\npathlib.Path(__file__).with_name('hit').touch()\nclass X: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    experiment = json.loads((copy / "bundle.json").read_text())["experiment"]
    experiment["model"]["fusion"] = {"kind": "evil_code:X", "settings": {}}
    resealed(copy, experiment=experiment)
    assert "the bundle needs external code: evil_code:X" in refused(copy)
    assert not (tmp_path / "hit").exists()
    assert "evil_code" not in sys.modules
    refused(copy, trust=True)  # it runs, and makes no fusion
    assert (tmp_path / "hit").exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"format": "1"}', b'{"format": 1}', b"[" * 100_000])
def test_what_is_no_bundle_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "bundle.json").write_bytes(body)
    assert "bundle.json" in refused(tmp_path)


def test_a_folder_without_a_bundle(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "none")
    assert "contains no bundle.json" in refused(tmp_path)


# -- sealed by an enemy ----------------------------------------------------------------------------------------------------


def header(text: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + body


HEADERS = {
    "a length past the end": struct.pack("<Q", 2**63) + b"{}",
    "a length of the whole address space": struct.pack("<Q", 2**64 - 1) + b"{}",
    "a header of 200 MB": header(b" " * 200_000_000),
    "no json": header(b"\x80\x04K\x01."),
    "json that is nested without end": header(b"[" * 100_000),
    "offsets past the end": header(b'{"0.x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
    "offsets that go backwards": header(b'{"0.x":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}', bytes(16)),
    "negative shapes": header(b'{"0.x":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}', bytes(16)),
    "a shape of all numbers": header(b'{"0.x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}', bytes(16)),
    "another type": header(b'{"0.x":{"dtype":"OBJ","shape":[4],"data_offsets":[0,16]}}', bytes(16)),
    "two of a name": header(b'{"0.x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"0.x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', bytes(16)),
    "overlaps": header(b'{"0.x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"0.y":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', bytes(16)),
    "nothing": b"",
    "a zip": b"PK\x03\x04" + bytes(100),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_absurd_headers_of_weights_are_refused(copy: Path, name: str) -> None:
    (copy / "weights.safetensors").write_bytes(HEADERS[name])
    resealed(copy)
    assert "do not fit together" in refused(copy)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("fields.photo.size", 10**9),
        ("fields.photo.size", -1),
        ("fields.photo.size", "32"),
        ("fields.photo.size", True),
        ("fields.photo.channels", 4),
        ("fields.photo.mean", []),
        ("fields.photo.mean", [[1], [2], [3]]),
        ("fields.photo.std", [1e300, 1, 1]),
        ("fields.标题.buckets", 10**12),
        ("fields.标题.idf", "@"),
        ("fields.标题.idf", 3),
        ("fields.标题.form", "pixels"),
        ("fields.标题.form", ["__import__('os')"]),
        ("fields.标题.max_ngrams", 10**15),
        ("fields.columns.columns", {}),
        ("fields.columns.columns", [{"name": "price", "type": "os.system"}, {"name": "region", "type": "number"}]),
        ("fields.photo", None),
        ("tasks.label", {}),
        ("tasks.label.classes", 3),
        ("tasks.label.classes", ["a"] * 10_000_000),
    ],
)
def test_facts_that_no_training_makes_are_refused(copy: Path, path: str, value: Any) -> None:
    states = json.loads((copy / "states.json").read_text(encoding="utf-8"))
    at = states
    *parts, last = path.split(".")
    for part in parts:
        at = at[part]
    at[last] = value
    (copy / "states.json").write_text(json.dumps(states), encoding="utf-8")
    resealed(copy)
    assert "do not fit together" in refused(copy)


@pytest.mark.parametrize(("path", "value"), [("width", 60_000), ("encoders.photo.channels", [60_000] * 3), ("encoders.columns.depth", 256)])
def test_a_model_larger_than_its_weights_is_refused_before_it_takes_memory(copy: Path, path: str, value: Any) -> None:
    experiment = json.loads((copy / "bundle.json").read_text(encoding="utf-8"))["experiment"]
    at = experiment["model"]
    *parts, last = path.split(".")
    for part in parts:
        at = at[part]
    at[last] = value
    resealed(copy, experiment=experiment)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "do not fit together" in refused(copy)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 200_000


def test_a_pipe_in_a_bundle_is_no_file_and_never_waited_for(copy: Path) -> None:
    (copy / "weights.safetensors").unlink()
    os.mkfifo(copy / "weights.safetensors")
    assert "not a regular file" in refused(copy)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hit']",
        "!!python/object/new:subprocess.Popen [[touch, hit]]",
        "!!python/name:os.system",
        "data: !!python/module:os",
        "x: !evil {a: 1}",
    ],
)
def test_tags_of_yaml_make_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(pm.ConfigError):
        pm.Experiment.read(tmp_path / "run.yaml")
    with pytest.raises(pm.ConfigError):
        pm.train(tmp_path / "run.yaml")
    with pytest.raises(pm.ConfigError):
        pm.Experiment.read(tmp_path / "run.yaml", [f"seed={text}"])
    assert not (tmp_path / "hit").exists()


def test_yaml_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"] + [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    (tmp_path / "circle.yaml").write_text("data: &a {fields: *a}")
    (tmp_path / "large.yaml").write_text("x: " + "y" * 17_000_000)
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, said in (
        ("bomb", "more than 100,000 values"),
        ("circle", "recursive"),
        ("large", "16 MiB"),
        ("pipe", "regular file"),
    ):
        with pytest.raises(pm.ConfigError, match=said):
            pm.Experiment.read(tmp_path / f"{name}.yaml")


@pytest.fixture(scope="module")
def tokens_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"t": f"some words {at % 7} here", "y": "ab"[at % 2]} for at in range(40)]
    out = tmp_path_factory.mktemp("tokens") / "run"
    settings = ("model.encoders.t.kind=text_transformer", "model.encoders.t.vocabulary=300", "model.encoders.t.hidden=16", "model.width=16")
    pm.train(rows, *settings, "training.epochs=1", "data.split.folds=2", target="y", columns={"t": "text"}, out=out)
    return out


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "b" * 20_000}),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}),
        (
            "padding",
            {
                "strategy": {"Fixed": 10_000_000},
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "x",
            },
        ),
        ("vocab", None),
    ],
)
def test_a_tokenizer_that_training_does_not_make_is_refused(tokens_run: Path, tmp_path: Path, key: str, value: Any) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tokens_run / "bundle", copy)
    pm.load(copy)
    states = json.loads((copy / "states.json").read_text(encoding="utf-8"))
    tokenizer = states["fields"]["t"]["tokenizer"]
    if key == "vocab":
        tokenizer["model"]["vocab"] = {word: at + 10**6 for word, at in tokenizer["model"]["vocab"].items()}
    else:
        tokenizer[key] = value
    (copy / "states.json").write_text(json.dumps(states), encoding="utf-8")
    resealed(copy)
    assert "do not fit together" in refused(copy)


def test_heads_that_are_no_text_or_hold_no_measurements_are_refused(copy: Path) -> None:
    original = (copy / "bundle.json").read_bytes()
    (copy / "bundle.json").write_text('{"format":1,"x":"\\ud800"}')
    refused(copy)
    wrong: list[Any] = [{"validation": 3}, {"validation": {"tasks": 3}}, []]
    for metrics in wrong:
        (copy / "bundle.json").write_bytes(original)
        resealed(copy, metrics=metrics)
        assert "do not fit together" in refused(copy)
