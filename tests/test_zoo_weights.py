"""The weights of a folder that transformers saved are in the parts of a preset, each tensor in its place; what is absent is named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import polymodal as pm
from builders import ROOT
from builders.tables import COLORS, picture, sentence, write_csv
from builders.tiny import tiny
from polymodal.backbones.joint import NETWORKS
from polymodal.errors import ConfigError
from polymodal.zoo import ARCHITECTURES

FAST = ("training.epochs=1", "training.lr=1e-9", "data.split.kind=random", "training.baselines=false")
WHOLE = {
    "bert": "BertForPreTraining",
    "visual_bert": "VisualBertForPreTraining",
    "vilt": "ViltForMaskedLM",
    "lxmert": "LxmertForPreTraining",
}
"""The classes by which models were published: with heads, and a prefix before the names of the weights."""
OF_WORDS = ("embeddings.word_embeddings.weight", "embeddings.text_embeddings.word_embeddings.weight")
OF_PATCHES = {"embeddings.patch_embeddings.projection.weight": "patches.project.weight", "embeddings.patch_embeddings.projection.bias": "patches.project.bias",
              "embeddings.cls_token": "first_D", "embeddings.position_embeddings": "positions_LD"}  # fmt: skip
NEW = {"embeddings.visual_projection.weight", "embeddings.visual_projection.bias", "embeddings.visual_position_embeddings.weight",
       "embeddings.visual_token_type_embeddings.weight"}  # fmt: skip
"""The weights of VisualBERT that a BERT does not have."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a table of 24 rows with a picture, a sentence and whether both name the same color, and return its path."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    rows = []
    for at in range(24):
        color, word = (str(rng.choice(list(COLORS))) for _ in range(2))
        rows.append([picture(folder / "p" / f"{at}.png", COLORS[color], rng, 20), sentence(rng, word), "no" if color == word else "yes"])
    rows[0][2], rows[1][2] = "yes", "no"
    return write_csv(folder / "table.csv", ["photo", "title", "y"], rows)


def published(kind: str, folder: Path) -> Path:
    """The folder of a model as it was published."""
    import transformers

    shutil.copytree(tiny(kind), folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = transformers.AutoConfig.from_pretrained(str(folder))
        model = getattr(transformers, WHOLE[kind])(config)
        for parameter in model.parameters():  # biases are zero otherwise, and scales one
            torch.nn.init.normal_(parameter, std=0.1)
        model.save_pretrained(folder)
    return folder


def trained(table: Path, preset: str, *words: str) -> pm.Predictor:
    """The model after an epoch that changes almost nothing."""
    small = ("model.fusion.depth=1",) if "joint" in str(words) else ("model.width=16",)
    return pm.train(table, *FAST, *small, *words, target="y", preset=preset)  # type: ignore[arg-type]


def same(found: Tensor, expected: Tensor, name: str) -> None:
    torch.testing.assert_close(found.detach().float().reshape(expected.shape), expected.float(), atol=1e-6, rtol=0, msg=name)


@pytest.mark.parametrize(
    ("preset", "kind"),
    [("mmf/visual_bert", "visual_bert"), ("mmf/visual_bert", "bert"), ("mmf/vilt", "vilt"), ("mmf/lxmert", "lxmert"), ("mmf/mmbt", "bert"),
     ("mmf/mmf_transformer", "bert")],
)  # fmt: skip
def test_every_weight_of_a_network_is_that_of_the_files(preset: str, kind: str, table: Path, tmp_path: Path) -> None:
    folder = published(kind, tmp_path / "model")
    files = {name.removeprefix(f"{kind}."): value for name, value in load_file(folder / "model.safetensors").items()}
    assert len(files) > 30
    member: Any = trained(table, preset, f"model.pretrained.joint={folder}").bundle.members[0]
    encoder: Any = dict(zip(member.names, member.encoders, strict=True))
    own = {name: value for name, value in member.fusion.network.state_dict().items() if not name.endswith("_ids")}
    assert own.keys() - files.keys() == (NEW if (preset, kind) == ("mmf/visual_bert", "bert") else set())
    for name in own.keys() & files.keys():
        same(own[name], files[name], name)
    words = next(name for name in files if name in OF_WORDS)
    same(encoder["title"].embed.weight, files[words], words)
    of_patches = OF_PATCHES if kind == "vilt" else {}
    for name, place in of_patches.items():
        same(encoder["photo"].state_dict()[place], files[name], name)
    others = files.keys() - own.keys() - {words, *of_patches}
    heads = ("cls.", "mlm_score.", "obj_predict_head.", "answer_head.")
    assert {name for name in others if not name.startswith(heads)} == set(), "every other weight is that of a head"
    if preset != "mmf/vilt":
        same(member.fusion.class_D, files[words][2], "the class token is that of the tokenizer")


def named(folder: Path) -> dict[str, Tensor]:
    """The tensors of the files by the names that they have in the network, which may be newer than those in the files."""
    import transformers

    files = list(load_file(folder / "model.safetensors").values())
    whole: dict[str, Tensor] = transformers.AutoModel.from_pretrained(str(folder)).state_dict()
    kept = {name: value for name, value in whole.items() if any(one.shape == value.shape and torch.equal(one, value) for one in files)}
    assert len(kept) == len(files)
    return kept


@pytest.mark.parametrize("preset", [name for name, one in ARCHITECTURES.items() if one.text or one.image])
def test_every_weight_of_an_encoder_is_that_of_the_files(preset: str, table: Path, tmp_path: Path) -> None:
    sources = {reader.source for reader in ARCHITECTURES[preset].readers.values()}
    models = {"title": ("text", "bert"), "photo": ("image", "vit")}
    chosen = {field: (source, tiny(kind)) for field, (source, kind) in models.items() if source in sources}
    words = [f"model.pretrained.{source}={folder}" for source, folder in chosen.values()]
    if not words:
        assert sources <= {"", "joint"}, "it reads no model of its own for a field"
        return
    if "joint" in sources:
        words += ["model.fusion.depth=1", "model.width=16", "data.features_gb=0"]
    bundle = trained(table, preset, *words).bundle
    member: Any = bundle.members[0]
    networks: dict[str, Any] = {**dict(zip(member.names, member.encoders, strict=True)), **bundle.backbones}
    assert set(bundle.backbones) == ({"photo"} if preset in ("mmf/visual_bert", "mmf/lxmert") else set()), "frozen networks of pictures"
    for field, (_, folder) in chosen.items():
        files, found = named(folder), dict(networks[field].state_dict())
        places = {name: [place for place in found if f".{place}".endswith(f".{name}")] for name in files if "pooler" not in name}
        assert [name for name, some in places.items() if len(some) != 1] == []
        for name, (place,) in places.items():
            same(found[place], files[name], name)


# -- files that lack weights -----------------------------------------------------------------------------------------------


def rewritten(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    path = folder / "model.safetensors"
    save_file(change({name: value.clone() for name, value in load_file(path).items()}), path, {"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda files: {name: value for name, value in files.items() if "layer.0.attention" not in name},
         r"8 of its weights are not in its files, such as 'encoder\.layer\.0\.attention\.attention\.key\.bias'"),
        (lambda files: {f"module.net.{name}": value for name, value in files.items()},
         r"\d+ of its weights are not in its files, such as 'embeddings\..*; the files contain \d+ others, such as 'module\.net\..*by the names of transformers"),
        (lambda files: {name: value[:1] if name.endswith("query.weight") else value for name, value in files.items()}, "cannot be loaded"),
        (lambda files: {name: value for name, value in files.items() if "word_embeddings" not in name},
         r"1 of its weights are not in its files, such as 'embeddings\.text_embeddings\.word_embeddings\.weight'"),
    ],
    ids=["a block", "other names", "other shapes", "words"],
)  # fmt: skip
def test_weights_that_are_absent_are_named(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], expected: str, table: Path, tmp_path: Path
) -> None:
    folder = rewritten(Path(shutil.copytree(tiny("vilt"), tmp_path / "model")), change)
    with pytest.raises(ConfigError, match=expected) as caught:
        trained(table, "mmf/vilt", f"model.pretrained.joint={folder}")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_pooler_starts_it_at_random_with_a_warning(table: Path, tmp_path: Path) -> None:
    def without(files: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in files.items() if "pooler" not in name}

    folder = rewritten(Path(shutil.copytree(tiny("bert"), tmp_path / "model")), without)
    with pytest.warns(UserWarning, match=r"its files lack the pooler \(pooler\.dense\.\w+, pooler\.dense\.\w+\), which starts with random"):
        trained(table, "mmf/mmbt", f"model.pretrained.joint={folder}")


def test_a_folder_that_is_no_model_is_named(table: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny("vilt"), tmp_path / "模型"))
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ConfigError, match=r"模型': cannot be loaded"):
        trained(table, "mmf/vilt", f"model.pretrained.joint={folder}")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"模型': no model.safetensors in its folder; expected the weights"):
        trained(table, "mmf/vilt", f"model.pretrained.joint={folder}")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": "32"}))
    with pytest.raises(ConfigError, match=r"模型': its config states no width \(hidden_size\)"):
        trained(table, "mmf/vilt", f"model.pretrained.joint={folder}")


# -- the page --------------------------------------------------------------------------------------------------------------


def rows_of(page: str) -> list[list[str]]:
    """The cells of the rows of all tables of a page."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]


def test_the_page_states_what_each_preset_takes_and_reads() -> None:
    rows = rows_of((ROOT / "docs" / "howto" / "mmf-models.md").read_text(encoding="utf-8"))
    described = {row[0].strip("`"): row[1:] for row in rows if row[0].startswith("`mmf/")}
    assert list(described) == list(ARCHITECTURES)
    for name, (fields, _, fusion) in described.items():
        one = ARCHITECTURES[name]
        assert ("any" in fields) == one.takes_others, name
        assert ("others are left out" in fields) == one.leaves_out, name
        assert ("one text" in fields) == (one.most.get("text") == 1), name
        assert ("text" in fields, "picture" in fields) == ("text" in one.least, "image" in one.least), name
        assert fusion.startswith("two hidden layers" if one.leaves_out else f"`{one.fusion['kind']}`"), name
    settings: dict[str, list[list[str]]] = {}
    for row in rows:
        if len(row) == 3 and (row[0].startswith("`model.pretrained.") or (row[0] == "" and settings)):
            settings.setdefault(row[0].strip("`").rpartition(".")[2] or list(settings)[-1], []).append(row[1:])
    assert list(settings) == ["joint", "text", "image"]
    by_source = {
        source: {
            name.removeprefix("mmf/") for name, one in ARCHITECTURES.items() if source in {reader.source for reader in one.readers.values()}
        }
        for source in settings
    }
    joint = {name: types for names, types in settings["joint"] for name in re.findall(r"`(\w+)`", names)}
    assert set(joint) == by_source["joint"]
    for name, types in joint.items():
        network = {"mmbt": "bert", "mmf_transformer": "bert"}.get(name, name)
        assert set(re.findall(r"\b(bert|visual_bert|vilt|lxmert)\b", types)) == set(NETWORKS[network]), name
    assert set(re.findall(r"`(\w+)`", settings["text"][0][0])) == by_source["text"]
    assert set(re.findall(r"`(\w+)`", settings["image"][0][0])) == {one.removeprefix("mmf/") for one in ARCHITECTURES} - by_source["image"]
