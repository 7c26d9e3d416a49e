"""Tests of the presets by the names of MMF: each is trained on a table of pictures and texts, saved and loaded, or refuses the table."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import polymodal as pm
from builders.interruptions import At, Broken, crash
from builders.tables import COLORS, picture, sentence, write_csv
from builders.tiny import tiny
from polymodal.cli.main import main
from polymodal.errors import BundleError, ConfigError
from polymodal.request import MMFPreset
from polymodal.runs import resume
from polymodal.storage import checksum_of
from polymodal.zoo import ARCHITECTURES

FAST = ["training.epochs=1", "data.split.kind=random", "training.baselines=false"]
TINY = [*FAST, "model.width=16", "fields.photo.size=32"]
SMALL_NETWORK = "model.fusion.depth=1"
NETWORKS = ("mmf/mmbt", "mmf/visual_bert", "mmf/vilt", "mmf/lxmert", "mmf/mmf_transformer")
READ = {name: ["title"] if "text" in name.split("_") else ["photo"] if "image" in name else ["photo", "title"] for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, texts and prices; the target needs both of the first two."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    rows: list[list[Any]] = []
    for at in range(40):
        color, word = (str(rng.choice(list(COLORS))) for _ in range(2))
        rows.append([picture(folder / "p" / f"{at}.png", COLORS[color], rng, 20), sentence(rng, word), round(float(rng.normal()), 2)])
        rows[-1].append("yes" if color == word else "no")
    write_csv(folder / "priced.csv", ["photo", "title", "price", "y"], rows)
    return write_csv(folder / "table.csv", ["photo", "title", "y"], [[*row[:2], row[3]] for row in rows])


def train(table: Path, preset: str, *words: str, out: Path | None = None, **settings: Any) -> pm.Predictor:
    sizes = [SMALL_NETWORK] if preset in NETWORKS else []
    if "model.encoders.title.hidden" not in str(words) and "title" in READ[preset] and preset not in (*NETWORKS, "mmf/concat_bow"):
        sizes += ["model.encoders.title.hidden=16", "model.encoders.title.depth=1"] if "pretrained.text" not in str(words) else []
    return pm.train(table, *FAST, *sizes, *words, target="y", preset=preset, out=out, **settings)  # type: ignore[arg-type]


def test_the_names_are_those_that_a_request_accepts() -> None:
    assert list(ARCHITECTURES) == list(get_args(MMFPreset))
    assert len(ARCHITECTURES) == 10


@pytest.mark.parametrize("preset", ARCHITECTURES)
def test_every_preset_is_trained_and_answers_with_the_same_bits_after_loading(preset: str, table: Path, tmp_path: Path) -> None:
    predictor = train(table, preset, *(TINY[3:] if "photo" in READ[preset] else ["model.width=16"]), out=tmp_path / "run")
    experiment = predictor.bundle.experiment
    assert (list(experiment.fields), experiment.model.preset) == (READ[preset], preset)
    assert experiment.model.trees is None
    assert experiment.model.votes == (preset == "mmf/late_fusion")
    kind = preset.removeprefix("mmf/") if preset in NETWORKS else "late" if preset == "mmf/late_fusion" else "concat"
    assert experiment.model.fusion.kind == kind
    expected = predictor.predict_proba(table)
    again = pm.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_proba(table), expected)
    rows = [
        {"photo": None, "title": None},
        {"photo": None, "title": "red"},
        {"photo": None, "title": ""},
        {"photo": None, "title": "红色 🍎"},
    ]
    found = np.asarray(again.predict_proba(rows))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[2])
    if "title" in READ[preset]:
        assert not np.array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("preset", "joint"),
    [("mmf/visual_bert", "visual_bert"), ("mmf/visual_bert", "bert"), ("mmf/vilt", "vilt"), ("mmf/lxmert", "lxmert"), ("mmf/mmbt", "bert"),
     ("mmf/mmf_transformer", "bert")],
)  # fmt: skip
def test_a_network_starts_with_the_weights_of_a_folder_and_is_in_the_bundle(preset: str, joint: str, table: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny(joint), tmp_path / "model")
    predictor = train(table, preset, f"model.pretrained.joint={folder}", "training.lr=1e-9", out=tmp_path / "run")
    experiment = predictor.bundle.experiment
    assert experiment.model.width == 32, "that of the model"
    import transformers

    whole = transformers.AutoModel.from_pretrained(str(folder))
    fusion: Any = predictor.bundle.members[0].fusion
    np.testing.assert_allclose(fusion.network.pooler.dense.weight.detach().numpy(), whole.pooler.dense.weight.detach().numpy(), atol=1e-5)
    shutil.rmtree(folder)
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(table), predictor.predict_proba(table))


def test_texts_and_pictures_of_other_presets_take_the_weights_of_their_own_models(table: Path, tmp_path: Path) -> None:
    models = (f"model.pretrained.text={tiny('bert')}", f"model.pretrained.image={tiny('vit')}")
    predictor = train(table, "mmf/concat_bert", *models, "model.width=16")
    encoders: Any = predictor.bundle.experiment.model.encoders
    assert list(encoders) == ["photo", "title"], "no field of n-grams beside the text"
    assert {(one.kind, one.tune, one.download) for one in encoders.values()} == {("pretrained", "full", False)}
    joint = (f"model.pretrained.joint={tiny('visual_bert')}", f"model.pretrained.image={tiny('vit')}", "data.features_gb=0")
    encoders = train(table, "mmf/visual_bert", *joint).bundle.experiment.model.encoders
    assert (encoders["photo"].tune, encoders["photo"].pool) == ("frozen", "tokens")


def test_a_resumed_run_ends_with_the_same_bits(table: Path, tmp_path: Path) -> None:
    words = (
        *TINY[3:],
        "training.epochs=2",
        "training.batch_size=8",
        "training.checkpoint_steps=1",
        f"model.pretrained.joint={tiny('vilt')}",
    )
    words = tuple(word for word in words if "width" not in word and "size=32" not in word)
    whole = train(table, "mmf/vilt", *words, out=tmp_path / "whole").predict_proba(table)
    with pytest.raises(Broken):
        train(table, "mmf/vilt", *words, out=tmp_path / "broken", observers=[At(5, crash)])
    np.testing.assert_array_equal(resume(tmp_path / "broken").predict_proba(table), whole)


def test_settings_take_precedence_over_a_preset(table: Path) -> None:
    model = train(table, "mmf/visual_bert", "model.votes=true", "model.width=8", "model.fusion.dropout=0.5").bundle.experiment.model
    assert (model.votes, model.width) == (True, 8)
    assert model.fusion.tree() | {"dropout": 0.5, "depth": 1, "heads": 4, "kind": "visual_bert"} == model.fusion.tree()


def test_other_fields_are_read_by_their_usual_encoders_where_a_preset_takes_them(table: Path) -> None:
    priced = table.with_name("priced.csv")
    for preset in ("mmf/concat_bow", "mmf/mmf_transformer"):
        encoders = train(priced, preset, "model.width=16").bundle.experiment.model.encoders
        assert encoders["columns"].kind == "tabular"


def test_the_notes_state_the_size_from_scratch_and_what_is_not_read(table: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["train", str(table), "--target", "y", "--preset", "mmf/unimodal_text", *FAST, "model.width=16", "-o", str(tmp_path / "a")])  # fmt: skip
    assert run.exit_code == 0, run.output
    assert (
        "mmf/unimodal_text: texts by text_transformer from scratch (256 wide, 4 blocks, 4 heads); model.pretrained.text=FOLDER"
        in " ".join(run.output.split())
    )
    assert "it does not read photo" in " ".join(run.output.split())
    words = ["--preset", "mmf/mmbt", *TINY, SMALL_NETWORK, "-o", str(tmp_path / "b")]
    run = CliRunner().invoke(main, ["train", str(table), "--target", "y", *words])
    assert "mmf/mmbt: its network from scratch (16 wide, 1 block, 4 heads); model.pretrained.joint=FOLDER" in " ".join(run.output.split())
    again = CliRunner().invoke(main, ["train", str(tmp_path / "b" / "run.yaml"), "-o", str(tmp_path / "c"), "--quiet"])
    assert again.exit_code == 0, again.output
    written = [yaml.safe_load((tmp_path / name / "run.yaml").read_text()) for name in "bc"]
    assert written[0] == written[1]


# -- refused ---------------------------------------------------------------------------------------------------------------

ONE_TEXT = "takes one text and one or more pictures"


@pytest.mark.parametrize("preset", ["mmf/mmbt", "mmf/visual_bert", "mmf/vilt", "mmf/lxmert"])
def test_a_field_that_a_network_cannot_take_is_refused_with_what_to_leave_out(preset: str, table: Path) -> None:
    priced = table.with_name("priced.csv")
    expected = rf"{preset} {ONE_TEXT}; found photo \(picture\), title \(text\), columns \(columns\); .*\(--ignore price\)"
    with pytest.raises(ConfigError, match=expected):
        train(priced, preset)
    rows = [{"photo": "p/0.png", "title": "red apple on the table", "note": f"a note of {at} words, {at}", "y": at % 2} for at in range(30)]
    with pytest.raises(ConfigError, match=rf"{preset} {ONE_TEXT}; found .*title \(text\), note \(text\); use mmf/mmf_transformer"):
        train(rows, preset, columns={"photo": "image", "title": "text", "note": "text"}, root=table.parent)  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", [name for name in ARCHITECTURES if name != "mmf/mmf_transformer"])
def test_a_table_without_pictures_or_texts_is_refused(preset: str) -> None:
    rows = [{"price": at * 0.5, "size": (at * 7) % 11 + 0.25, "y": at % 2} for at in range(40)]
    with pytest.raises(ConfigError, match=rf"model.preset: {preset} takes .*; found columns \(columns\).*use mmf/mmf_transformer"):
        pm.train(rows, target="y", preset=preset)  # type: ignore[arg-type]


def test_an_unknown_name_is_refused_with_the_names(table: Path) -> None:
    result = CliRunner().invoke(main, ["train", str(table), "--target", "y", "--preset", "mmf/visualbert"])
    assert result.exit_code == 2
    assert all(name in result.output for name in ARCHITECTURES)
    for name in ("mmf/visualbert", "visual_bert"):
        with pytest.raises(
            ConfigError, match=r"'mmf/lxmert'? ?(or|,).*did you mean 'mmf/visual_bert'|mmf/lxmert, .*did you mean 'mmf/visual_bert'"
        ):
            pm.train(table, target="y", preset=name)  # type: ignore[arg-type]


def test_pretrained_and_a_preset_of_mmf_together_are_refused(table: Path) -> None:
    result = CliRunner().invoke(main, ["train", str(table), "--target", "y", "--preset", "mmf/vilt", "--pretrained"])
    assert result.exit_code == 2
    assert "--pretrained beside --preset mmf/vilt; name its weights: model.pretrained.joint=FOLDER" in result.output


def test_a_file_that_names_another_model_is_refused(table: Path, tmp_path: Path) -> None:
    train(table, "mmf/concat_bow", *TINY[3:], out=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"--preset mmf/vilt beside a file that sets model.encoders"):
        pm.train(tmp_path / "run" / "run.yaml", preset="mmf/vilt", out=tmp_path / "other")


def test_a_model_that_a_preset_does_not_read_is_refused(table: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"model.pretrained.text: mmf/vilt does not read it; expected model.pretrained.joint; leave it out"
    ):
        train(table, "mmf/vilt", "model.pretrained.text=x")


def test_weights_that_are_not_here_or_are_a_pickle_are_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not on this machine, and nothing is downloaded unless requested"):
        train(table, "mmf/vilt", "model.pretrained.joint=somebody/vilt")
    folder = shutil.copytree(tiny("vilt"), tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"its weights are a pickle \(pytorch_model.bin\)"):
        train(table, "mmf/vilt", f"model.pretrained.joint={folder}")
    (folder / "config.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"config.json is not a mapping"):
        train(table, "mmf/vilt", f"model.pretrained.joint={folder}")


@pytest.fixture(scope="module")
def bundle(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a ViLT that began with the weights of a folder."""
    run = tmp_path_factory.mktemp("bundle") / "run"
    train(table, "mmf/vilt", f"model.pretrained.joint={tiny('vilt')}", out=run)
    return run / "bundle"


def config_of(states: dict[str, Any], field: str) -> dict[str, Any]:
    return states["fields"][field]["backbone"]["config"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "change",
    [
        lambda states: config_of(states, "title").update(hidden_size=2**20),
        lambda states: config_of(states, "title").update(vocab_size=2**22),
        lambda states: [config_of(states, name).update(num_hidden_layers=400) for name in ("title", "photo")],
        lambda states: [config_of(states, name).update(max_position_embeddings=2**24) for name in ("title", "photo")],
        lambda states: [config_of(states, name).update(intermediate_size="64") for name in ("title", "photo")],
        lambda states: config_of(states, "photo").update(patch_size=1),
        lambda states: config_of(states, "photo").update(patch_size=0),
        lambda states: [config_of(states, name).update(auto_map={"AutoModel": "evil.py"}) for name in ("title", "photo")],
        lambda states: [config_of(states, name).update(model_type="bert") for name in ("title", "photo")],
        lambda states: states["fields"]["title"].pop("backbone"),
        lambda states: states["fields"]["title"]["backbone"].pop("ends"),
    ],
    ids=["width", "words", "blocks", "positions", "text", "patches", "no patch", "code", "type", "no facts", "no ends"],
)
def test_a_bundle_with_altered_facts_is_refused(bundle: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    altered = shutil.copytree(bundle, tmp_path / "altered")
    states = json.loads((altered / "states.json").read_text())
    change(states)
    (altered / "states.json").write_text(json.dumps(states))
    head = json.loads((altered / "bundle.json").read_text())
    head.pop("check")
    head["sha256"]["states.json"] = hashlib.sha256((altered / "states.json").read_bytes()).hexdigest()
    (altered / "bundle.json").write_text(json.dumps(head | {"check": checksum_of(head)}))
    with pytest.raises(BundleError, match="its parts do not fit together"):
        pm.load(altered)
