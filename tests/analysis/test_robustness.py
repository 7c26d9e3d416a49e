"""Tests of the corruptions of every kind of cell, and of the metrics of a trained model under them."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from PIL import Image as Pillow

import polymodal as pm
from builders.cells import FIELDS, cell_of, defaults, made
from builders.tables import picture, write_csv
from builders.tiny import tiny
from polymodal import encoders, modalities
from polymodal.cli.main import main
from polymodal.errors import Fault, PolymodalError
from polymodal.evaluation.robustness import ALL, MISSING, compared, relative
from polymodal.frozen import Featured
from polymodal.modalities import Modality, PartFault, Roots
from polymodal.modalities.signal_corruption import generator
from polymodal.pages import robustness_page as page

KINDS = [pytest.param(kind, id=kind.kind) for kind in modalities.MODALITIES]


def fit(kind: Any, form: str | None = None, **settings: Any) -> Modality:
    """A field of a kind, fitted to some cells in the form that it makes first."""
    config = (FIELDS.get(kind.kind) or defaults(next(one for one in modalities.CONFIGS if one.modality() is kind))).model_copy(
        update=settings
    )
    form = form or kind.forms[0]
    encoder = next(one for one in encoders.CONFIGS if getattr(one, "form", None) == form)
    state = kind.fit(config, [cell_of(kind.kind, at) for at in range(12)], form, made(encoder).needs(form), Roots())
    modality: Modality = kind(config, state, Roots())
    return modality


def worse(modality: Modality, cell: Any, name: str, severity: int, seed: int = 0) -> Any:
    return modality.corrupt(modality.parsed(cell), name, severity, seed, "field")


def far(one: Any, other: Any) -> float:
    """How far what is held is from what it was: values that differ count by how much, values that are lost as much as any."""
    if isinstance(one, str) and isinstance(other, str):
        return sum(a != b for a, b in zip(one, other.ljust(len(one)), strict=False)) + abs(len(one) - len(other))
    if isinstance(one, (list, tuple)):
        return sum(far(a, b) for a, b in zip(one, other or [None] * len(one), strict=True))
    if isinstance(one, np.ndarray):
        if other is None or one.shape != other.shape:
            return float(len(one) - (0 if other is None else len(other)))
        lost = np.isnan(other.astype(float))
        return float(np.abs(np.where(lost, 0, other).astype(float) - np.where(lost, 0, one)).sum() + 10 * lost.sum())
    return float(str(one) != str(other))


# -- every modality ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_corruption_is_worse_at_every_severity_and_untouched_at_0(kind: Any) -> None:
    modality = fit(kind)
    menu = modality.corruptions()
    assert len(menu) >= 3
    assert not {ALL, MISSING} & set(menu)
    cells = [cell_of(kind.kind, at) for at in range(3 if kind.kind == "video" else 12)]
    held = [modality.parsed(cell) for cell in cells]
    for name, change in menu.items():
        distances = [
            sum(far(one, change(one, severity, generator(0, "f", name, one))) for one in held if len(one) > 1) for severity in range(1, 6)
        ]
        assert distances[0] > 0, name
        off = distances == sorted(distances)
        flat = kind.kind in ("text", "tabular")  # letters move along; a column that is off is off, by however much
        assert off or flat, (name, distances)
        assert distances[4] >= distances[0] * (1 if flat else 1.2), (name, distances)
    for cell, one in zip(cells, held, strict=True):
        for name, values in modality.read(cell).items():
            untouched = modality.corrupt(one, next(iter(menu)), 0)
            assert untouched is not None
            assert values.tobytes() == untouched[name].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupted_cell_depends_on_its_content_its_field_and_the_seed_alone(kind: Any) -> None:
    modality, again = fit(kind), fit(kind)
    cells = [cell_of(kind.kind, at) for at in range(4)]
    for name in modality.corruptions():
        one = [worse(modality, cell, name, 4) for cell in cells]
        two = [worse(again, cell, name, 4) for cell in reversed(cells)][::-1]
        for a, b in zip(one, two, strict=True):
            assert (a is None) == (b is None)
            assert all(a[key].tobytes() == b[key].tobytes() for key in a or {})
        before = [modality.parsed(cell) for cell in cells]
        for held in before:
            modality.corrupt(held, name, 5)
        assert repr(before) == repr([modality.parsed(cell) for cell in cells]), f"{name} changed what it was given"
    drawn = {tuple(generator(*key).random(3)) for key in ((0, "f", "x", "a"), (1, "f", "x", "a"), (0, "g", "x", "a"), (0, "f", "y", "a"))}
    assert len(drawn) == 4


def test_a_new_modality_needs_no_corruptions_and_corrupts_cells_where_it_names_some() -> None:
    class Backwards(modalities.Text):
        def parsed(self, cell: Any) -> Any:
            return Modality.parsed(self, cell)

        def read(self, cell: Any) -> Any:
            return modalities.Text.sample_of(self, cell)

        def sample_of(self, held: Any) -> Any:
            return Modality.sample_of(self, held)

        def corruptions(self) -> Any:
            return {"backwards": lambda cell, severity, rng: cell[::-1]}

    text = fit(modalities.Text)
    other = Backwards(text.config, text.state, Roots())
    np.testing.assert_array_equal(worse(other, "abc", "backwards", 1)["ids"], text.read("cba")["ids"])
    assert Modality.corruptions(text) == {}


def test_what_cannot_be_read_stays_unreadable() -> None:
    for kind in modalities.MODALITIES:
        modality = fit(kind)
        if kind.kind == "tabular":
            broken = ("cheap", "a", "2024-01-11", "7")
            for name in modality.corruptions():
                with pytest.raises(PartFault, match="expected a finite number"):
                    worse(modality, broken, name, 1)
            continue
        with pytest.raises(Fault):
            worse(modality, [] if kind.kind in ("series", "points") else b"\x00none", next(iter(modality.corruptions())), 1)
    pictures = fit(modalities.Pictures)
    with pytest.raises(PartFault, match="picture 2: ") as caught:
        worse(pictures, [cell_of("image", 1), b"none", cell_of("image", 2)], "dark", 5)
    assert caught.value.rest is not None
    assert caught.value.rest["pixels"].shape[0] == 2
    assert caught.value.rest["pixels"].max() <= 51


# -- hostile cells -------------------------------------------------------------------------------------------------------


def wav(samples: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(samples, np.float64), 8_000, format="WAV")
    return file.getvalue()


def test_the_smallest_cells_survive_every_corruption_or_are_missing() -> None:
    pixel = io.BytesIO()
    Pillow.new("RGB", (1, 1), (200, 10, 10)).save(pixel, "PNG")
    smallest: dict[str, list[Any]] = {
        "image": [pixel.getvalue()], "pictures": [[pixel.getvalue()]], "text": ["", "a", "红", "🙂", "\ud800", "  x"],
        "points": [[[1.0, 2.0, 3.0, 4.0]]], "series": [[[1.0, 2.0]], [[1.0, None]]], "audio": [wav([0.5]), wav([0.0] * 40)],
        "tabular": [("1", None, "", ""), ("", "new", "", "")], "vector": [[1.0] + [None] * 11],
    }  # fmt: skip
    for kind in modalities.MODALITIES:
        modality = fit(kind)
        for cell in smallest.get(kind.kind, []):
            for name in modality.corruptions():
                for severity in range(1, 6):
                    sample = worse(modality, cell, name, severity)
                    if sample is not None:
                        modality.collate([sample, modality.blank()], modality.geometry(sample))
                        assert all(np.isfinite(value).all() or kind.kind in ("series", "tabular", "vector") for value in sample.values())
    with pytest.raises(Fault, match="no samples"):
        fit(modalities.Audio).parsed(wav([]))


def test_arrays_of_any_channels_are_corrupted_but_no_jpeg_is_made_of_them() -> None:
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).normal(size=(20, 20, 5)))
    config = modalities.ImageConfig(column="x", size=16)
    state = modalities.Image.fit(config, [file.getvalue()], "pixels", {}, Roots())
    image = modalities.Image(config, state, Roots())
    assert set(image.corruptions()) == {"blur", "noise", "dark", "occlusion"}
    for name in image.corruptions():
        assert worse(image, file.getvalue(), name, 3)["pixels"].shape == (5, 16, 16)


def test_occlusions_grow_around_one_another() -> None:
    image = fit(modalities.Image)
    held = image.parsed(cell_of("image", 3))
    hidden = [(image.corruptions()["occlusion"](held, at, generator(0, "f", "occlusion", held)) != held).any(0) for at in range(1, 6)]
    for small, large in pairwise(hidden):
        assert not (small & ~large).any()


def test_chinese_is_mistyped_dropped_and_misread_sign_by_sign() -> None:
    text = fit(modalities.Text)
    said = "未来的土地自己已经卖光，红色的苹果和绿色的树木在水中"
    menu = text.corruptions()
    typo, dropped, misread = (menu[name](said, 5, generator(0, "f", name, said)) for name in ("typos", "dropped", "ocr"))
    assert sorted(typo) == sorted(said) != typo
    assert set(dropped) < set(said)
    assert 0.2 * len(said) < len(dropped) < 0.9 * len(said)
    assert len(misread) == len(said)
    assert misread != said
    assert all(a == b or b in "未末土士己已巳卖买红江绿缘白自木本水永的约中申" for a, b in zip(said, misread, strict=True))
    assert text.corruptions()["ocr"]("漂", 5, np.random.default_rng(0)) == "漂"


def test_a_sound_is_as_noisy_as_it_is_said() -> None:
    audio = fit(modalities.Audio)
    tone = np.sin(np.arange(8_000) * 0.3) * 0.2
    for severity, decibels in ((1, 20), (5, 0)):
        noise = audio.corruptions()["noise"](tone, severity, np.random.default_rng(0)) - tone
        assert 10 * np.log10((tone**2).mean() / (noise**2).mean()) == pytest.approx(decibels, abs=0.5)
    heard = worse(audio, wav(tone), "clipping", 5)
    assert heard["mel"].shape == audio.read(wav(tone))["mel"].shape


def test_a_swapped_value_is_one_that_training_saw() -> None:
    columns = fit(modalities.Tabular)
    swapped = [columns.corruptions()["swapped"](cell_of("tabular", at), 5, np.random.default_rng(at)) for at in range(40)]
    numbers, facts = [float(cell[0]) for cell in swapped], columns.state["columns"][0]
    assert facts["low"] - 1e-6 <= min(numbers) < max(numbers) <= facts["high"] + 1e-6
    assert {cell[1] for cell in swapped} == {"a", "b"}
    assert any(cell[1] != cell_of("tabular", at)[1] for at, cell in enumerate(swapped))


def test_a_field_before_a_frozen_backbone_is_corrupted_before_it() -> None:
    image = fit(modalities.Image)
    seen = Featured(image, 8)
    cell = cell_of("image", 1)
    np.testing.assert_array_equal(worse(seen, cell, "blur", 4)["pixels"], worse(image, cell, "blur", 4)["pixels"])
    assert list(seen.corruptions()) == list(image.corruptions())


# -- areas ---------------------------------------------------------------------------------------------------------------


def test_areas_are_means_over_what_goes_wrong() -> None:
    assert relative([1, 2, 3, 4, 5], [0.8] * 5, 0.8) == pytest.approx(0.8)
    assert relative([1, 2, 3, 4, 5], [0.8, 0.6, 0.4, 0.2, 0.0], 1.0) == pytest.approx(0.5)
    assert relative([1, 2], [None, 0.5], 1.0) is None

    def told(whole: float, *values: float) -> dict[str, Any]:
        curve = {"field": "a", "corruption": "blur", "levels": [1, 2], "metrics": [{"r2": value} for value in values], "effective": None}
        return {"y": {"metric": "r2", "whole": {"r2": whole}, "curves": [curve]}}

    own = told(0.9, 0.8, 0.7)
    compared(own, told(0.6, 0.5, 0.4), ())
    assert own["y"]["curves"][0]["effective"] == pytest.approx(0.0), "a baseline that is worse, and loses as much"
    compared(own, told(0.6, 0.2, 0.0), ())
    assert own["y"]["curves"][0]["effective"] == pytest.approx(0.35 - 0.1), "by trapezoids: it loses 0.35, we lose 0.1"
    compared(own, told(0.6, 0.2, 0.0), {"a"})
    assert own["y"]["curves"][0]["effective"] == pytest.approx(-0.1), "the baseline does not read the field: it loses nothing"


# -- a trained model -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose class is how bright a picture is; the text, before a frozen backbone, says nothing. A run on it."""
    folder = tmp_path_factory.mktemp("robust")
    rng = np.random.default_rng(0)
    rows = []
    for at in range(64):
        label = ("dim", "bright")[at % 2]
        grey = 190 if at % 2 else 90
        photo = picture(folder / "p" / f"{at}.png", (grey, grey, grey), rng, 16)
        rows.append([photo, " ".join(rng.permutation(["red", "apple", "红色", "<b>x</b>"])), label])
    write_csv(folder / "t.csv", ["photo", "标题", "label"], rows)
    pm.train(folder / "t.csv", "training.epochs=6", "data.split.kind=random", "training.baselines=false", "training.lr=5e-3", "model.width=8",
             "model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8, 8]", "fields.photo.size=16",
             "model.encoders.标题.kind=pretrained", f"model.encoders.标题.model={tiny('bert')}",
             target="label", out=folder / "run", columns={"标题": "text"})  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return pm.robustness(folder / "run", folder / "t.csv", out=folder / "out")


def curve(found: dict[str, Any], field: str | None, corruption: str) -> dict[str, Any]:
    (one,) = [one for one in found["targets"]["label"]["curves"] if (one["field"], one["corruption"]) == (field, corruption)]
    return dict(one)


def heights(curve: dict[str, Any]) -> list[float]:
    return [one["accuracy"] for one in curve["metrics"]]


def test_a_model_of_the_picture_loses_with_the_picture_and_not_with_the_text(found: dict[str, Any], folder: Path) -> None:
    told = found["targets"]["label"]
    assert told["whole"]["accuracy"] == pm.load(folder / "run").evaluate(folder / "t.csv")["tasks"]["label"]["accuracy"] > 0.95
    for name in ("typos", "dropped", "ocr"):
        assert min(heights(curve(found, "标题", name))) > 0.9
        assert curve(found, "标题", name)["relative"] == pytest.approx(told["whole"]["accuracy"], abs=0.05)
    assert heights(curve(found, "photo", "dark"))[-1] < 0.9
    missing = heights(curve(found, "photo", "missing cells"))
    assert missing[-1] < missing[0] < 1
    assert missing[-1] < 0.6
    assert heights(curve(found, None, "missing cells"))[-1] < 0.6
    assert min(heights(curve(found, "标题", "missing cells"))) > 0.9
    assert curve(found, None, "all at once")["relative"] < told["whole"]["accuracy"]
    assert all(one["effective"] is None for one in told["curves"])


def test_curves_do_not_depend_on_how_often_or_beside_what_they_are_asked(found: dict[str, Any], folder: Path) -> None:
    with (folder / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    again = pm.robustness(pm.load(folder / "run", root=[folder]), [{**row} for row in rows])
    assert again["targets"] == found["targets"]
    other = pm.robustness(folder / "run", folder / "t.csv", seed=1)
    assert curve(other, "photo", "noise") != curve(found, "photo", "noise")


def test_a_frozen_backbone_sees_the_corrupted_text(found: dict[str, Any]) -> None:
    whole = found["targets"]["label"]["whole"]["log_loss"]
    losses = {curve(found, "标题", name)["metrics"][-1]["log_loss"] for name in ("typos", "dropped", "ocr", "missing cells")}
    assert len(losses | {whole}) == 5, "each corruption tells of other features"


def test_missing_cells_and_cells_that_cannot_be_read_stay_so(folder: Path) -> None:
    rows: Any = [
        {"photo": "p/0.png", "标题": None, "label": "dim"}, {"photo": None, "标题": "red", "label": "bright"},
        {"photo": "p/none.png", "标题": "x", "label": "dim"}, {"photo": "p/1.png", "标题": "x", "label": None},
    ]  # fmt: skip
    model = pm.load(folder / "run", root=[folder])
    assert pm.robustness(model, rows)["asked"] == 3
    assert pm.robustness(model, rows, on_error="skip")["asked"] == 2
    with pytest.raises(PolymodalError, match="no row has a target"):
        pm.robustness(model, rows[3:])


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.add(tag)
        assert tag == "link" or not {name for name, _ in attrs} & {"src", "href", "onload"}
        assert tag != "link" or attrs == [("rel", "icon"), ("href", "data:,")]


def test_what_comes_from_a_table_is_text_on_the_page(found: dict[str, Any]) -> None:
    bad = "</title><script>alert(1)</script><img src=x onerror=y>\"'"
    told = found["targets"]["label"]
    curves = [one | {"field": bad, "corruption": bad} for one in told["curves"]]
    shown = page(found | {"table": bad, "against": bad, "targets": {bad: told | {"curves": curves}}})
    assert "<script" not in shown
    assert "<img" not in shown


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


def test_the_command_prints_and_writes_what_python_returns(found: dict[str, Any], folder: Path) -> None:
    assert json.loads((folder / "out" / "robustness.json").read_text(encoding="utf-8")) == found
    page = (folder / "out" / "robustness.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert {"svg", "table"} <= tags.found
    assert not {"script", "img", "iframe", "b"} & tags.found
    assert page.count("<svg") == 4, "a chart for each field, for all of them, and for missing cells"

    printed = run(folder / "run", folder / "t.csv", "--robustness", "--against", folder / "run", "-o", folder / "twice")
    assert printed.exit_code == 0, printed.output
    assert "64 of 64 rows with a target, seed 0" in printed.output
    assert "effective: how much less is lost than by run" in " ".join(printed.output.split())
    assert "<th>effective</th>" in (folder / "twice" / "robustness.html").read_text(encoding="utf-8")
    assert "<th>effective</th>" not in page, "no column without a baseline"
    twice = json.loads((folder / "twice" / "robustness.json").read_text(encoding="utf-8"))
    assert {one["effective"] for one in twice["targets"]["label"]["curves"]} == {0.0}
    assert "标题" in printed.output
    again = run(folder / "run", folder / "t.csv", "--robustness", "-o", folder / "twice")
    assert (again.exit_code, "already there" in again.output) == (2, True)
    alone = run(folder / "run", folder / "t.csv", "--seed", 3)
    assert (alone.exit_code, "--seed without --robustness" in alone.output) == (2, True)
