"""Tests of the fusions that are networks of transformers, against the whole networks there, with the same weights and inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.cells import picture
from builders.tiny import tiny
from polymodal import encoders, fusions, modalities
from polymodal.data.loader import field_of
from polymodal.errors import ConfigError
from polymodal.flow import Features
from polymodal.fusions.joint import JointConfig
from polymodal.fusions.lxmert import boxes_of
from polymodal.modalities import Roots
from polymodal.model import ModelConfig, MultiModalModel, build
from polymodal.tasks import BinaryConfig

TEXTS = ["green table cloud", "river", "", "red apple stone music paper window"]
BY_NAME: dict[str, type[JointConfig]] = {
    kind: config for kind, config in zip(fusions.KINDS, fusions.CONFIGS, strict=True) if issubclass(config, JointConfig)
}


def read(encoder: Any, kind: Any, config: Any, cells: list[Any]) -> Any:
    needs = encoder.needs(encoder.form)
    state = kind.fit(config, cells, encoder.form, needs, Roots())
    return kind(config, state | ({"backbone": needs["backbone"]} if "backbone" in needs else {}), Roots())


def started(kind: str, folder: Path | None, image: Any = None) -> tuple[MultiModalModel, dict[str, Features], dict[str, Any]]:
    """A model of a text and a picture with the weights of a folder, the features of four rows, and their modalities."""
    model = str(folder) if folder is not None else None
    encoder: dict[str, Any] = {
        "title": encoders.WordEmbeddingsConfig(model=model),
        "photo": image or encoders.ConvnetConfig(channels=[8, 8], tokens="grid"),
    }
    cells: dict[str, list[Any]] = {"title": TEXTS, "photo": [picture(seed) for seed in range(4)]}
    config: dict[str, Any] = {"title": modalities.TextConfig(column="title"), "photo": modalities.ImageConfig(column="photo")}
    made = {name: read(encoder[name], config[name].modality(), config[name], cells[name]) for name in encoder}
    task = BinaryConfig(column="y")
    torch.manual_seed(0)
    built = build(
        ModelConfig(width=32, encoders=encoder, fusion=BY_NAME[kind](depth=1), votes=False, trees=None),
        {name: one.state for name, one in made.items()},
        {"y": task.task()(task, task.task().fit(task, ["no", "yes"] * 3, "here"))},
    )
    built.start()
    features = {}
    for name, one in made.items():
        field = field_of(one, [one.read(cell) for cell in cells[name]], np.arange(4))
        features[name] = built.admit(name, built.encode(name, field), field)
    return built.eval(), features, made


def library_of(folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """The whole model of transformers, and the texts as its tokenizer reads them."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    return transformers.AutoModel.from_pretrained(str(folder)).eval(), dict(tokenizer(TEXTS, padding=True, return_tensors="pt"))


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found.detach(), expected.detach(), atol=2e-5, rtol=1e-4)


def visual_of(model: MultiModalModel, features: dict[str, Features]) -> Tensor:
    """The visual tokens that the fusion gives to the network."""
    project: Any = model.fusion.project
    return project[1](features["photo"].tokens_BLD)  # type: ignore[no-any-return]


def test_visual_bert_is_that_of_transformers() -> None:
    folder = tiny("visual_bert")
    model, features, _ = started("visual_bert", folder)
    whole, words = library_of(folder)
    visual = visual_of(model, features)
    assert visual.shape[2] == 24, "the width of visual embeddings of the model"
    output = whole(input_ids=words["input_ids"], attention_mask=words["attention_mask"], visual_embeds=visual)
    near(model.fusion(features).tokens_BLD[:, 0], output.pooler_output)


def test_vilt_is_that_of_transformers_with_its_own_patches() -> None:
    folder = tiny("vilt")
    model, features, made = started("vilt", folder, encoders.PatchEmbeddingsConfig(model=str(folder)))
    assert features["photo"].tokens_BLD.shape[1] == 17, "a token for the picture, and 4 x 4 patches"
    whole, words = library_of(folder)
    state = made["photo"].state
    assert (state["size"], state["mean"], state["std"]) == (32, [127.5, 102.0, 127.5], [127.5, 127.5, 63.75])
    pixels = torch.stack([torch.from_numpy(made["photo"].read(picture(seed))["pixels"]).float() for seed in range(4)])
    mean, std = (torch.tensor(state[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    output = whole(input_ids=words["input_ids"], attention_mask=words["attention_mask"], pixel_values=(pixels - mean) / std,
                   pixel_mask=torch.ones(4, 32, 32, dtype=torch.long))  # fmt: skip
    near(model.fusion(features).tokens_BLD[:, 0], output.pooler_output)


def test_lxmert_is_that_of_transformers_with_boxes_of_the_grid() -> None:
    folder = tiny("lxmert")
    model, features, _ = started("lxmert", folder)
    whole, words = library_of(folder)
    visual = visual_of(model, features)
    visual = torch.cat([visual.mean(1, keepdim=True), visual], 1)
    boxes = torch.cat([torch.tensor([[0.0, 0.0, 1.0, 1.0]]), boxes_of(visual.shape[1] - 1, 1.0)]).expand(4, -1, -1)
    output = whole(input_ids=words["input_ids"], attention_mask=words["attention_mask"], visual_feats=visual, visual_pos=boxes)
    found = model.fusion(features).tokens_BLD[:, 0]
    near(found[:, :32], output.pooled_output)
    near(found[:, 32:], output.vision_output[:, 0])


def test_mmbt_is_a_bert_whose_first_segment_is_the_picture() -> None:
    folder = tiny("bert")
    model, features, _ = started("mmbt", folder)
    whole, words = library_of(folder)
    embedded = whole.embeddings.word_embeddings(words["input_ids"])
    visual = visual_of(model, features)
    count = visual.shape[1]
    first, last = (whole.embeddings.word_embeddings(torch.tensor([[number]])).expand(4, -1, -1) for number in (2, 3))
    sequence = torch.cat([first, visual, last, embedded[:, 1:]], 1)
    places = torch.tensor([[*range(count + 2), *range(embedded.shape[1] - 1)]]).clamp(max=63)  # the model has 64 positions
    types = (torch.arange(sequence.shape[1]) >= count + 2).long().expand(4, -1)
    mask = torch.cat([torch.ones(4, count + 2, dtype=torch.long), words["attention_mask"][:, 1:]], 1)
    output = whole(inputs_embeds=sequence, attention_mask=mask, token_type_ids=types, position_ids=places)
    near(model.fusion(features).tokens_BLD[:, 0], output.pooler_output)


def test_the_transformer_of_mmf_begins_as_the_bert_when_there_is_only_text() -> None:
    folder = tiny("bert")
    model, features, _ = started("mmf_transformer", folder)
    whole, words = library_of(folder)
    only = {**features, "photo": Features(features["photo"].tokens_BLD, torch.zeros_like(features["photo"].mask_BL))}
    near(model.fusion(only).tokens_BLD[:, 0], whole(**words).pooler_output)
    assert not torch.allclose(model.fusion(features).tokens_BLD, model.fusion(only).tokens_BLD, atol=1e-3)


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_network_from_scratch_has_the_stated_size_and_no_embeddings_of_words(kind: str) -> None:
    model, features, made = started(kind, None)
    weights = {name: tuple(value.shape) for name, value in model.fusion.state_dict().items()}
    assert not [name for name in weights if "word_embeddings" in name or "patch_embeddings" in name]
    assert weights["network.pooler.dense.weight"] == (32, 32)
    words: Any = model.encoders[0]
    assert words.embed.num_embeddings == made["title"].state["vocabulary"] + 1
    fused = model.fusion(features).tokens_BLD
    assert torch.isfinite(fused).all()
    assert fused.shape == (4, 1, 64 if kind == "lxmert" else 32)


def test_boxes_are_those_of_the_grid_in_row_order() -> None:
    assert boxes_of(4, 1.0).tolist() == [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert boxes_of(16, 0.25).shape == (16, 4)
    assert boxes_of(16, 0.25)[8].tolist() == [0, 0.5, 0.125, 1], "two rows of eight"
    assert boxes_of(3, 1.0)[:, 1].unique().tolist() in ([0.0], [0, pytest.approx(1 / 3), pytest.approx(2 / 3)])


def test_a_pretrained_network_learns_slowly() -> None:
    scratch, _, _ = started("visual_bert", None)
    pretrained, _, _ = started("visual_bert", tiny("visual_bert"))
    for model, expected in ((scratch, {0.3}), (pretrained, {0.03})):
        assert {scale for _, scale in model.fusion.lr_scales()} == expected  # type: ignore[operator]
    assert {scale for _, scale in pretrained.encoders[0].lr_scales()} == {0.03}  # type: ignore[operator]


# -- refused ---------------------------------------------------------------------------------------------------------------


def test_a_network_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a vilt, but the embeddings are those of .*bert, a bert; expected a model of type vilt"):
        started("vilt", tiny("bert"))
    with pytest.raises(ConfigError, match="a vit; expected a vilt"):
        started("vilt", tiny("vilt"), encoders.PatchEmbeddingsConfig(model=str(tiny("vit"))))
    with pytest.raises(ConfigError, match="a xlm-roberta; expected one of bert, visual_bert, vilt, lxmert"):
        started("mmbt", tiny("xlm_roberta"))


def test_weights_of_two_models_are_refused(tmp_path: Path) -> None:
    import transformers

    folder = tmp_path / "other"
    whole = transformers.AutoModel.from_pretrained(str(tiny("vilt")))
    with torch.no_grad():
        whole.pooler.dense.bias.add_(1)
    whole.save_pretrained(folder)
    with pytest.raises(ConfigError, match="embeddings of two models"):
        started("vilt", tiny("vilt"), encoders.PatchEmbeddingsConfig(model=str(folder)))


def test_a_width_that_is_not_the_model_s_is_refused_with_that_of_the_model() -> None:
    config = encoders.WordEmbeddingsConfig(model=str(tiny("bert")))
    made = read(config, modalities.Text, modalities.TextConfig(column="title"), TEXTS)
    with pytest.raises(ConfigError, match=r"model.width: 64, but the embeddings of .* have 32; set model.width: 32"):
        config.build(64, made.state)


def test_a_text_that_is_no_field_and_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"model.fusion.text: 'titel' is not a field; expected one of photo, title, or null; did you mean"
    ):
        BY_NAME["visual_bert"](text="titel").check(["photo", "title"], 32)
    BY_NAME["visual_bert"](text="title").check(["photo"], 32)
    with pytest.raises(ConfigError, match=r"heads: 3 does not divide model.width = 32"):
        BY_NAME["vilt"](heads=3).check(["photo"], 32)
    with pytest.raises(ConfigError, match=r"the fields a, b are texts; expected one"):
        BY_NAME["lxmert"]().check_forms({"a": ("ngrams", "tokens"), "b": ("ngrams", "tokens"), "c": ("pixels",)})
    BY_NAME["mmf_transformer"]().check_forms({"a": ("ngrams", "tokens"), "b": ("ngrams", "tokens")})
