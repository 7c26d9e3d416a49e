"""Bundles of somebody who knows the format, with a pretrained encoder in them: refused before they cost much, and answered with a fault."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import resource
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import polymodal as pm
from builders.pretrained import table_of, train
from builders.tiny import tiny
from polymodal.backbones import build
from polymodal.backbones.backbone import check_plain
from polymodal.cli.main import main
from polymodal.encoders import PretrainedConfig
from polymodal.errors import BundleError, ConfigError, Fault
from polymodal.frozen import FeatureCache
from polymodal.modalities import Roots, Text, TextConfig
from polymodal.storage import checksum_of


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """No test meets a person's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bundle of texts and one of pictures, seen by a frozen encoder."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {}
    for kind, name in (("text", "bert"), ("image", "clip"), ("audio", "whisper")):
        train(table_of(kind, folder), tiny(name), "frozen", folder / name, "training.epochs=1")
        made[name] = folder / name / "bundle"
    return made


def said_of(bundle: Path, to: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """What loading says of a bundle whose field's state was changed, and whose sums were made again."""
    shutil.copytree(bundle, to)
    states = json.loads((to / "states.json").read_text())
    change(states["fields"]["it"])
    (to / "states.json").write_text(json.dumps(states))
    head = json.loads((to / "bundle.json").read_text())
    head.pop("check")
    head["sha256"] = {name: hashlib.sha256((to / name).read_bytes()).hexdigest() for name in head["sha256"]}
    (to / "bundle.json").write_text(json.dumps(head | {"check": checksum_of(head)}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError) as caught:
        pm.load(to)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20, "more than a GiB was taken"
    return str(caught.value)


GPT2 = {"model_type": "gpt2", "n_layer": 10**6, "n_embd": 8, "n_head": 1}
RESNET = {"model_type": "resnet", "depths": [10**6, 1], "embedding_size": 8, "hidden_sizes": [8, 16], "layer_type": "basic"}
TEXT_TOWER = {"vocab_size": 2**20, "hidden_size": 1024, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.mark.parametrize(("name", "change", "said"), [
    ("bert", {"config": GPT2}, "more than 20,000 modules"),
    ("clip", {"config": RESNET}, "more than 20,000 modules"),
    ("bert", {"num_labels": 2**24}, "16777216 labels"),
    ("clip", {"text_config": TEXT_TOWER}, "other values"),
    ("clip", {"config": {"model_type": "timm_wrapper", "architecture": "hf-hub:someone/model"}}, "which may download its parts"),
    ("clip", {"vision_config": {"model_type": "timm_backbone"}}, "which may download its parts"),
    ("bert", {"facts": {"filled": 2**40}}, "texts that are padded to"),
    ("bert", {"facts": {"width": 2**16}}, "65536"),
    ("bert", {"facts": {"pool": "pooler"}}, "pool"),
    ("whisper", {"facts": {"mels": 2**30}}, "reads 1073741824 mel bands"),
    ("whisper", {"facts": {"rate": 1}}, "at 1 Hz"),
])  # fmt: skip
def test_a_network_that_takes_much_or_fetches_is_refused(
    name: str, change: dict[str, Any], said: str, bundles: dict[str, Path], tmp_path: Path
) -> None:
    def changed(state: dict[str, Any]) -> None:
        backbone = state["backbone"]
        backbone |= change.get("facts", {})
        backbone["config"] = change.get("config", backbone["config"] | {k: v for k, v in change.items() if k != "facts"})

    assert said in said_of(bundles[name], tmp_path / "b", changed)


def test_whole_models_of_two_towers_are_not_refused() -> None:
    for name, form in (("clip", "pixels"), ("siglip_text", "tokens"), ("whisper", "waveform")):
        facts = PretrainedConfig(model=str(tiny(name))).needs(form)["backbone"]  # type: ignore[arg-type]
        build(facts)
    check_plain({"model_type": "bert", "num_labels": 1_000})


def pattern(text: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": text}, "content": "a"}


LONGER = base64.b64encode(b"\4\0\0\0" + b"\0" * 4 + b"a" * 3_000).decode()
WORDS = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}


@pytest.mark.parametrize(("change", "said"), [
    ({"normalizer": {"type": "Sequence", "normalizers": [pattern("(?=.)")] * 20}}, "more than 4 patterns"),
    ({"model": {"max_input_chars_per_word": 10**6}}, "words are too long"),
    ({"model": {"vocab": WORDS | {"apple": 2**40}}}, "token numbers are not whole numbers"),
    ({"post_processor": {"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2] * 1_000, "tokens": ["[CLS]"] * 1_000}}}}, "many tokens"),
    ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": LONGER}}, "longer text"),
])  # fmt: skip
def test_a_tokenizer_that_makes_much_of_little_is_refused(
    change: dict[str, Any], said: str, bundles: dict[str, Path], tmp_path: Path
) -> None:
    def changed(state: dict[str, Any]) -> None:
        for part, value in change.items():
            kept = state["tokenizer"].get(part) or {}
            state["tokenizer"][part] = {**kept, **value} if part != "normalizer" else value

    assert said in said_of(bundles["bert"], tmp_path / "b", changed)


def given(change: dict[str, Any]) -> Text:
    needs = PretrainedConfig(model=str(tiny("bert"))).needs("tokens")
    state = copy.deepcopy(Text.fit(TextConfig(column="x"), [], "tokens", needs, Roots()))
    for part, value in change.items():
        state["tokenizer"][part] = {**(state["tokenizer"].get(part) or {}), **value}
    field = Text(TextConfig(column="x"), state, Roots())
    field.check()
    return field


def test_a_text_on_which_the_tokenizer_gives_up_is_a_fault() -> None:
    endless = {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}}
    with pytest.raises(Fault, match=r"a text on which the tokenizer fails"):
        given(endless).read("a" * 5_000 + "!")
    with pytest.raises(Fault, match=r"a text on which the tokenizer fails .*UNK"):
        given({"model": {"vocab": {"apple": 1}}}).read("stone")
    assert len(given({}).read("apple")["ids"]) == 3


def test_tokens_that_the_model_does_not_know_are_told_before_training(tmp_path: Path) -> None:
    shutil.copytree(tiny("bert"), tmp_path / "m")
    tokenizer = json.loads((tmp_path / "m" / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"]["another"] = 40
    (tmp_path / "m" / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"numbers tokens up to 40; expected at most 39"):
        PretrainedConfig(model=str(tmp_path / "m")).needs("tokens")
    config = PretrainedConfig(model=str(tiny("bert")))
    backbone = config.backbone(config.needs("tokens")).eval()
    with torch.inference_mode():
        said = backbone({"ids": torch.tensor([[3, 10_000, 4]])}).tokens_BLD
    assert np.isfinite(said.numpy()).all()


# -- what is kept between runs ---------------------------------------------------------------------------------------------


def cache_of() -> FeatureCache:
    config = PretrainedConfig(model=str(tiny("vit")))
    needs = config.needs("pixels")
    backbone = config.backbone(needs)
    backbone.load(download=False)
    return FeatureCache(backbone, needs, torch.device("cpu"), 1.0)


def test_what_is_kept_lies_on_disk_and_not_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = cache_of()
    kept = {bytes([at] * 16): np.random.default_rng(at).normal(size=(1 + at, cache.width)).astype(np.float32) for at in range(9)}
    for key, features_LD in kept.items():
        cache.put(key, features_LD)
    cache.flush()
    held = [value for part in vars(cache).values() if isinstance(part, dict) for value in part.values()]
    assert not any(isinstance(value, np.ndarray) for value in held)
    for one in (cache, reread := cache_of()):
        for key, features_LD in kept.items():
            np.testing.assert_array_equal(one.get(key), features_LD)
    (path,) = cache.folder.glob("*.safetensors")
    path.unlink()  # another process made room
    assert reread.get(bytes(16)) is None


def test_a_link_to_nothing_and_a_folder_do_not_end_the_keeping(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = cache_of()
    cache.folder.mkdir(parents=True)
    (cache.folder / "a.safetensors").symlink_to(tmp_path / "nowhere")
    (cache.folder / "b.safetensors").mkdir()
    cache.put(bytes(16), np.ones((1, cache.width), np.float32))
    cache.flush()
    assert cache.get(bytes(16)) is not None


def test_another_version_of_the_library_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = cache_of().folder
    assert cache_of().folder == here
    monkeypatch.setattr("polymodal.frozen.metadata.version", lambda name: "0")
    assert cache_of().folder != here


def test_a_check_tells_what_a_frozen_backbone_takes(tmp_path: Path) -> None:
    model = ("model.encoders.it.kind=pretrained", f"model.encoders.it.model={tiny('vit')}", "training.epochs=1", "data.split.kind=random")
    found = pm.check(table_of("image", tmp_path, 40), *model, target="label")
    assert "frozen backbones" in found.facts["time"]
    weights = (tiny("vit") / "model.safetensors").stat().st_size
    less = pm.check(table_of("image", tmp_path, 40), *model, "bundle.frozen=reference", target="label")
    assert found.disk_mb is not None
    assert less.disk_mb is not None
    assert found.disk_mb - less.disk_mb > 0.8 * weights / 2**20


def test_what_is_said_to_come_next_may_be_pasted(tmp_path: Path) -> None:
    table = table_of("text", tmp_path)
    out = tmp_path / "my run"
    said = CliRunner().invoke(main, ["train", str(table), "--target", "label", "-o", str(out), "training.epochs=1", "data.split.kind=random",
                                     "--quiet"])  # fmt: skip
    assert said.exit_code == 0, said.output
    assert f"next: polymodal predict '{out}' NEW_TABLE" in said.output


def test_a_model_that_is_not_there_is_told_with_its_field_and_weights_from_elsewhere_in_a_line(tmp_path: Path) -> None:
    table = table_of("image", tmp_path)
    model = ["model.encoders.it.kind=pretrained", "training.epochs=1", "data.split.kind=random", "bundle.frozen=reference"]
    said = CliRunner().invoke(main, ["train", str(table), "--target", "label", *model, "model.encoders.it.model=./nowhere"])
    assert said.exit_code == 2
    assert "model.encoders.it: kind pretrained, model './nowhere': no such folder" in said.output
    out = str(tmp_path / "run")
    done = CliRunner().invoke(main, ["train", str(table), "--target", "label", *model, f"model.encoders.it.model={tiny('vit')}", "-o", out])
    assert done.exit_code == 0, done.output
    said = CliRunner().invoke(main, ["predict", out, str(table), "-o", str(tmp_path / "out.csv")])
    assert "warning: field 'it': its frozen weights are not in the bundle" in said.output


def test_a_column_of_texts_that_are_nearly_all_missing_warns_of_nothing(tmp_path: Path) -> None:
    table = table_of("text", tmp_path)
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text(
        "\n".join([lines[0] + ",rare", *(f"{line},{'a b c d' if at == 2 else ''}" for at, line in enumerate(lines[1:]))]) + "\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pm.train(table, "training.epochs=1", "data.split.kind=random", "training.baselines=false", target="label", out=tmp_path / "run",
                 columns={"it": "text", "rare": "text"})  # fmt: skip


def test_the_vector_of_a_tower_of_texts_says_which_text_it_was() -> None:
    config = PretrainedConfig(model=str(tiny("clip_text")))
    backbone = config.backbone(config.needs("tokens")).eval()
    with torch.inference_mode():
        one, other = backbone({"ids": torch.tensor([[3, 5, 4], [3, 6, 4]])}).tokens_BLD
    assert not torch.allclose(one, other)
