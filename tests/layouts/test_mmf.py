"""Tests of the layouts of MMF's data sets on tiny trees: known rows, and absent and broken files."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from builders.mmf import TREES, dump, hateful_memes, jpeg, lines, mosei_content
from polymodal.cli.main import main
from polymodal.errors import ConfigError, DataError
from polymodal.layouts.mmf import LAYOUTS, rows


def read(name: str, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    """The rows; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(rows(name, folder, **settings))


def read_quietly(name: str, folder: Path) -> list[dict[str, Any]]:
    """The rows; warnings are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(rows(name, folder))


def run(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


# -- every layout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_table_is_replaced_only_if_requested(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    TREES[name](tmp_path / "tree")
    run("table", f"mmf-{name}", "tree", "-o", "t.csv")
    written = (tmp_path / "t.csv").read_bytes()
    again = CliRunner().invoke(main, ["table", f"mmf-{name}", "tree", "-o", "t.csv"])
    assert again.exit_code == 2
    assert "already there" in again.output
    run("table", f"mmf-{name}", "tree", "-o", "t.csv", "--overwrite")
    assert (tmp_path / "t.csv").read_bytes() == written
    assert not list(tmp_path.rglob(".replaced"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_in_another_layout_gives_one_message(name: str, tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("nothing")
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "README.txt"):
        result = CliRunner().invoke(main, ["table", f"mmf-{name}", str(folder), "-o", str(tmp_path / "t.csv")])
        assert result.exit_code == 2, result.output
        assert result.output.startswith("error: ")
        assert len(result.output.splitlines()) == 1
        assert "expected" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt"]


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in ("mosei", "petfinder")])
def test_pictures_that_do_not_exist_are_empty_cells_and_none_at_all_is_an_error(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    pictures = sorted(path for extension in ("png", "jpg", "jpeg") for path in tmp_path.rglob(f"*.{extension}"))
    pictures[0].unlink()
    secret = tmp_path.parent / f"{tmp_path.name}_secret.png"
    shutil.copy(pictures[1], secret)
    pictures[1].unlink()
    pictures[1].symlink_to(secret)
    with pytest.warns(UserWarning, match="files do not exist, or are outside the folder"):
        found = list(rows(name, tmp_path))
    assert "" in {cell for row in found for cell in row.values()}
    for picture in pictures[1:]:
        picture.unlink()
    with pytest.raises(DataError, match=r"files do not exist.*unpack the files"):
        read_quietly(name, tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_parts_are_read_by_themselves(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    arrays = {"arrays": tmp_path / "arrays"} if LAYOUTS[name].has_arrays else {}
    found = read(name, tmp_path, parts=["train"], **arrays)
    assert {row["split"] for row in found} == {"train"}
    with pytest.raises(ConfigError, match=r"part 'training': unknown; expected train, valid, test; did you mean 'train'"):
        rows(name, tmp_path, parts=["training"])
    with pytest.raises(ConfigError, match="no option 'colour'"):
        rows(name, tmp_path, colour=1)


# -- single layouts ------------------------------------------------------------------------------------------------------


def test_a_meme_of_a_later_file_is_not_repeated(tmp_path: Path) -> None:
    hateful_memes(tmp_path)
    seen = (tmp_path / "data" / "dev_seen.jsonl").read_text().splitlines()
    (tmp_path / "data" / "dev_unseen.jsonl").write_text(
        "\n".join([*seen[:5], json.dumps(json.loads(seen[0]) | {"id": 7, "text": " two\n lines "})])
    )
    with pytest.warns(UserWarning, match="5 rows have the id of an earlier row"):
        found = list(rows("hateful-memes", tmp_path))
    assert Counter(row["split"] for row in found) == {"train": 40, "valid": 13, "test": 8}
    assert next(row for row in found if row["id"] == "7")["text"] == "two lines"
    assert {row["file"] for row in found if row["split"] == "valid"} == {"dev_seen.jsonl", "dev_unseen.jsonl"}
    assert found[0]["picture"] == f"data/img/0{found[0]['id']}.png"
    flat = tmp_path / "flat"
    shutil.copytree(tmp_path / "data", flat)
    assert read("hateful-memes", flat, parts=["train"])[0]["picture"].startswith("img/")
    defaults = tmp_path / "mmf" / "defaults"  # as MMF unpacks it
    (defaults / "images").mkdir(parents=True)
    shutil.copytree(tmp_path / "data", defaults / "annotations", ignore=shutil.ignore_patterns("img"))
    shutil.copytree(tmp_path / "data" / "img", defaults / "images" / "img")
    pictures = [row["picture"] for row in read("hateful-memes", tmp_path / "mmf", parts=["train"])]
    assert pictures[0].startswith("defaults/images/img/")


def test_which_plot_is_taken(tmp_path: Path) -> None:
    TREES["mm-imdb"](tmp_path)
    dump(tmp_path / "dataset" / "0000005.json", {"plot": ["Short.", "", "A longer plot."], "genres": ["Drama", "War"]})
    dump(tmp_path / "dataset" / "0000006.json", {"plot outline": "An outline.", "genres": []})
    by_plot = {plot: read("mm-imdb", tmp_path, plot=plot)[:2] for plot in ("first", "longest", "all")}
    assert [row["plot"] for row in by_plot["first"]] == ["Short.", "An outline."]
    assert [row["plot"] for row in by_plot["longest"]] == ["A longer plot.", "An outline."]
    assert [row["plot"] for row in by_plot["all"]] == ["Short. A longer plot.", "An outline."]
    assert [row["genres"] for row in by_plot["first"]] == ["Drama;War", ""]
    assert by_plot["first"][0]["poster"] == "dataset/0000005.jpeg"
    with pytest.raises(ConfigError, match=r"plot: 'last'; expected first, longest, all"):
        rows("mm-imdb", tmp_path, plot="last")


def test_questions_with_the_answers_of_ten_people(tmp_path: Path) -> None:
    TREES["vqa2"](tmp_path)
    found = read("vqa2", tmp_path)
    assert found[0]["picture"] == "train2014/COCO_train2014_000000000001.jpg"
    assert json.loads(found[0]["answers"])[6:] == [found[0]["answer"], "a dark one", "Dark one.", "grey"]
    assert [row["answers"] for row in found if row["split"] == "test"] == [""] * 6
    moved = tmp_path / "images"
    moved.mkdir()
    for name in ("train2014", "val2014", "test2015"):
        (tmp_path / name).rename(moved / name)
    assert read("vqa2", tmp_path)[0]["picture"] == "images/train2014/COCO_train2014_000000000001.jpg"


def test_two_pictures_of_a_sentence_and_their_directory(tmp_path: Path) -> None:
    TREES["nlvr2"](tmp_path)
    found = read("nlvr2", tmp_path)
    assert (found[1]["left"], found[1]["right"]) == ("images/train/1/train-1-0-img0.png", "images/train/1/train-1-0-img1.png")
    valid = next(row for row in found if row["split"] == "valid")
    assert (valid["left"], valid["directory"]) == ("dev/dev-0-0-img0.png", "")
    (tmp_path / "data" / "dev.json").unlink()
    (tmp_path / "data" / "test1.json").unlink()
    output = run("table", "mmf-nlvr2", tmp_path, "-o", tmp_path / "t.csv").output
    assert "--group directory --ignore split" in output, "without validation rows, a split keeps a directory in one part"


def test_a_label_without_agreement_is_none(tmp_path: Path) -> None:
    TREES["snli-ve"](tmp_path)
    entry = json.loads((tmp_path / "snli_ve_train.jsonl").read_text().splitlines()[0])
    lines(tmp_path / "snli_ve_train.jsonl", [entry | {"gold_label": "-"}, {**entry, "annotator_labels": None}])
    found = read("snli-ve", tmp_path, parts=["train"])
    assert [row["label"] for row in found] == ["", entry["gold_label"]]
    assert json.loads(found[0]["annotators"]) == entry["annotator_labels"]
    assert found[1]["annotators"] == ""
    assert "caption" not in json.dumps(found)


def test_titles_may_have_a_header(tmp_path: Path) -> None:
    TREES["food101"](tmp_path)
    path = tmp_path / "texts" / "train_titles.csv"
    before = read("food101", tmp_path, parts=["train"])
    path.write_text("image,title,class\n" + path.read_text())
    assert read("food101", tmp_path, parts=["train"]) == before
    assert before[0]["title"].startswith('The "best"')
    path.write_text("a.jpg,two cells\n")
    with pytest.raises(DataError, match="line 1: 2 cells; expected a picture, a title and a class"):
        read("food101", tmp_path)


def test_pets_with_pictures_names_of_codes_and_two_services(tmp_path: Path) -> None:
    TREES["petfinder"](tmp_path)
    found = read("petfinder", tmp_path)
    assert [row["pictures"] for row in found[:3]] == ["", "train_images/t0001-1.jpg", "train_images/t0002-1.jpg;train_images/t0002-2.jpg"]
    assert (found[2]["Breed1"], found[2]["Color1"], found[2]["State"]) == ("Domestic Medium Hair", "Black", "41326")
    assert (found[2]["sentiment_score"], found[2]["language"], found[2]["picture_score"]) == ("0.3", "en", "0.98")
    assert found[2]["picture_labels"].startswith("dog, ")
    assert found[0]["sentiment_score"] == ""
    assert {row["AdoptionSpeed"] for row in found if row["split"] == "test"} == {""}
    with (tmp_path / "train" / "train.csv").open("a") as file:
        file.write("1,x,1,265,1,41326,r,0,x,../../etc,1\n")
    with pytest.raises(DataError, match=r"train\.csv row 46, PetID: '\.\./\.\./etc'"):
        read("petfinder", tmp_path)


def mosei(folder: Path, content: Any) -> list[dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    (folder / "a.pkl").write_bytes(pickle.dumps(content))
    return read("mosei", folder, arrays=folder / "arrays")


def test_segments_become_files_of_arrays(tmp_path: Path) -> None:
    content = mosei_content({"train": 6, "valid": 2})
    found = mosei(tmp_path, content)
    assert [row["split"] for row in found] == ["train"] * 6 + ["valid"] * 2
    assert (found[1]["video"], found[1]["segment"]) == ("video1", "1.5_2.5")
    saved = np.load(tmp_path / found[0]["audio"])
    assert saved.dtype == np.float32
    assert 6 <= len(saved) <= 10
    assert np.isnan(saved[-1, 2]), "minus infinity is missing"
    assert (saved[0] != 0).any(), "the padding is cut off"
    assert float(found[0]["sentiment"]) == pytest.approx(float(content["train"]["labels"][0, 0, 0]), rel=1e-5)


def test_segments_of_the_other_form_of_the_pickle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    part = {"raw_text": np.array(["I like it", "红"], dtype=object), "audio": rng.normal(size=(2, 4, 3)), "vision": np.zeros((2, 4, 2)),
            "text": rng.normal(size=(2, 4, 3)), "text_bert": np.zeros((2, 3, 4)), "id": ["abc$_$10", "def$_$2"], "audio_lengths": [4, 4],
            "annotations": ["Positive", "Negative"], "classification_labels": np.array([2, 0]), "regression_labels": np.array([1.5, -3.0])}  # fmt: skip
    found = mosei(tmp_path, {"train": part})
    assert list(found[0]) == ["video", "segment", "split", "raw_text", "audio", "vision", "text", "sentiment"]
    assert [(row["video"], row["segment"], row["raw_text"], row["sentiment"]) for row in found] == [
        ("abc", "10", "I like it", "1.5"),
        ("def", "2", "红", "-3"),
    ]
    assert found[0]["vision"] == "", "nothing but padding"
    words = mosei(tmp_path, {"train": part | {"words": [["I", "like", "it"], ["红"]]}})
    assert [row["words"] for row in words] == ["I like it", "红"]
    emotions = mosei(tmp_path, {"train": {"audio": part["audio"], "labels": np.arange(14.0).reshape(2, 7)}})
    assert (emotions[1]["sentiment"], emotions[1]["happy"], emotions[1]["fear"], emotions[1]["segment"]) == ("7", "8", "13", "1")


class Calls:
    def __reduce__(self) -> Any:
        return os.system, ("touch PWNED",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "list without 'train'"), ({"a": 1}, "dict without 'train'"), ({"train": [1]}, "'train': list; expected a mapping"),
        ({"train": {}}, "'train': nothing; expected arrays of equally many rows"), ({"train": {"a": np.ones(2), "b": np.ones(3)}}, "a of 2, b of 3"),
        ({"train": {"a": np.ones((2, 3)), "labels": np.ones((2, 4))}}, "4 labels a row; expected the sentiment, six emotions, or both"),
        ({"train": {"../../a": np.ones((2, 3))}}, r"an array '\.\./\.\./a'; expected a name"), ({"train": {"split": np.ones(2)}}, "an array 'split'"),
        ({"train": {"a": np.ones((2, 3)), "labels": ["good", "bad"]}}, "found 'good'; expected numbers"), ({"train": {"a": np.array(1.0)}}, "nothing"),
        ({"train": {"a": np.ones((2, 3, 3, 3))}}, r"shape \(3, 3, 3\) a row"), ({"train": {"a": Calls()}}, r"the global '(posix|nt)\.system'"),
        ({"train": {"a": np.ones((2, 3))}, "valid": {"b": np.ones((2, 3))}}, "'valid': columns video, segment, split, b; expected those of"),
    ],
)  # fmt: skip
def test_pickles_in_another_form_give_one_message(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        mosei(tmp_path, content)


def test_a_pickle_that_is_refused_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    for name in ("a.pkl", "b.pkl"):
        (tmp_path / "m" / name).write_bytes(pickle.dumps({"train": Calls()}))
    result = CliRunner().invoke(main, ["table", "mmf-mosei", "m"])
    assert "2 pickles (a.pkl, b.pkl); expected one .pkl file; name it: --file NAME" in result.output
    result = CliRunner().invoke(main, ["table", "mmf-mosei", "m", "--file", "b.pkl"])
    assert result.exit_code == 2
    assert "nothing of it was executed" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]
    with pytest.raises(ConfigError, match="no folder for the arrays"):
        read("mosei", tmp_path / "m")
    with pytest.raises(DataError, match="no such file, or outside the folder"):
        read("mosei", tmp_path / "m", arrays=tmp_path / "arrays", file="../t.csv")


def test_annotation_files_of_every_kind(tmp_path: Path) -> None:
    TREES["annotations"](tmp_path)
    found = read("annotations", tmp_path)
    assert Counter(row["split"] for row in found) == {"train": 40, "valid": 12, "test": 8}
    assert list(found[0]) == ["split", "picture", "image_name", "question_str", "question_tokens", "label"]
    assert found[0]["picture"] == "images/train_0.jpg"
    assert json.loads(found[0]["question_tokens"]) == ["what", "is"]
    jpeg(tmp_path / "photos" / "p.png", "red", 0)
    lines(tmp_path / "mine.jsonl", [{"image_path": ["p.png"], "split": "a", "n": 1.5, "more": {"x": None}}, {"answers": ["a", "a"]}])
    (mine, other) = read("annotations", tmp_path, annotations=["test=mine.jsonl"], images="photos", target="answers")
    assert mine == {
        "split": "test",
        "picture": "photos/p.png",
        "image_path": '["p.png"]',
        "split_": "a",
        "n": "1.5",
        "more": '{"x": null}',
        "answers": "",
    }
    assert other["answers"] == '["a", "a"]'
    structured = np.array([("p.png", 3)], dtype=[("image_name", "U8"), ("label", "i4")])
    np.save(tmp_path / "s.npy", structured)
    assert read("annotations", tmp_path, annotations=["train=s.npy"], images="photos")[0]["label"] == "3"
    with pytest.raises(ConfigError, match=r"annotations 'mine.jsonl'; expected PART=FILE"):
        read("annotations", tmp_path, annotations=["mine.jsonl"])
    np.save(tmp_path / "s.npy", np.array([1, 2]))
    with pytest.raises(DataError, match=r"entry 1: int.*expected an object with keys"):
        read("annotations", tmp_path, annotations=["train=s.npy"])
    with pytest.raises(DataError, match="no such file, or outside the folder"):
        read("annotations", tmp_path, annotations=["train=../x.npy"])


# -- broken trees --------------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change the content of a JSON file, or of the first line of a file of lines."""

    def edited(folder: Path) -> None:
        first, *rest = (folder / name).read_text().splitlines() if name.endswith(".jsonl") else [(folder / name).read_text()]
        (folder / name).write_text("\n".join([json.dumps(change(json.loads(first))), *rest]))

    return edited


@pytest.mark.parametrize(
    ("name", "breaks", "said"),
    [
        ("hateful-memes", lambda folder: (folder / "data/train.jsonl").write_text("{\n"), r"train\.jsonl line 1: found '\{'; expected a JSON object"),
        ("hateful-memes", edit("data/train.jsonl", lambda entry: {"id": 1, "img": "x", "txet": ""}), "line 1: no 'text'.*did you mean 'txet'"),
        ("hateful-memes", edit("data/train.jsonl", lambda entry: entry | {"img": "../../etc/passwd"}), "img: '../../etc/passwd'; expected the name"),
        ("hateful-memes", edit("data/train.jsonl", lambda entry: entry | {"img": "/etc/passwd"}), "img: '/etc/passwd'; expected the name"),
        ("hateful-memes", lambda folder: (folder / "data/train.jsonl").write_bytes(b"\xff\xfe\x00"), "not UTF-8 text"),
        ("hateful-memes", lambda folder: (folder / "data/train.jsonl").write_text("[" * 100_000), "expected a JSON object in each line"),
        ("mm-imdb", lambda folder: cut(folder / "split.json"), "expected a JSON object of at most"),
        ("mm-imdb", edit("split.json", lambda split: {"train": "all"}), "found 'all' under 'train'; expected a list of ids"),
        ("mm-imdb", edit("split.json", lambda split: {"train": ["../../x"]}), "id '../../x' in 'train'"),
        ("mm-imdb", lambda folder: (folder / "dataset/0000007.json").unlink(), r"no table 'dataset/0000007\.json'"),
        ("vqa2", lambda folder: cut(folder / "v2_mscoco_train2014_annotations.json"), "annotations.json annotations entry [0-9]+: invalid or truncated JSON"),
        ("vqa2", edit("v2_OpenEnded_mscoco_val2014_questions.json", lambda one: one | {"questions": {}}), "found '{}}'; expected a JSON list of objects"),
        ("vqa2", edit("v2_OpenEnded_mscoco_val2014_questions.json", lambda one: {"info": [1, {"x": 2}], "n": 1}), "no list 'questions'; expected an object"),
        ("vqa2", edit("v2_OpenEnded_mscoco_val2014_questions.json", lambda one: [1]), "expected an object with a list 'questions'"),
        ("vqa2", edit("v2_OpenEnded_mscoco_val2014_questions.json", lambda one: {"questions": [{"question_id": 1, "image_id": "../x", "question": ""}]}),
         r"image_id '\.\./x'; expected a number"),
        ("vqa2", edit("v2_mscoco_val2014_annotations.json", lambda one: {"annotations": [{"question_id": 1, "answers": ["yes"]}]}), "expected objects with 'answer'"),
        ("gqa", edit("train_balanced_questions.json", lambda one: {"1": [2]}), r"entry 1: found '\[2\]'; expected an object"),
        ("gqa", edit("train_balanced_questions.json", lambda one: [one]), "expected an object"),
        ("gqa", edit("train_balanced_questions.json", lambda one: {"7": {"question": "x"}}), "entry '7': no 'imageId'"),
        ("gqa", edit("train_balanced_questions.json", lambda one: {"7": {"question": "x", "imageId": "../../x"}}), "imageId: '../../x.jpg'; expected"),
        ("nlvr2", lambda folder: lines(folder / "data/train.json", [{"identifier": "../x-1", "sentence": ""}]), "identifier '../x-1'; expected one such as"),
        ("nlvr2", lambda folder: lines(folder / "data/train.json", [{"identifier": "a-1", "sentence": "", "directory": ".."}]), r"directory '\.\.'"),
        ("snli-ve", lambda folder: lines(folder / "snli_ve_train.jsonl", [{"sentence2": "", "gold_label": "x"}]), "Flickr30K_ID ''; expected"),
        ("petfinder", lambda folder: (folder / "train/train.csv").write_text("Type\n1\n"), "no column 'PetID'"),
        ("petfinder", lambda folder: (folder / "train_metadata/t0001-1.json").write_text("[]"), r"t0001-1\.json: found '\[\]'; expected a JSON object"),
        ("annotations", lambda folder: cut(folder / "annotations/val.json"), r"val\.json data entry [0-9]+: invalid or truncated"),
        ("annotations", lambda folder: cut(folder / "annotations/train.npy"), r"train\.npy byte [0-9]+: not a valid pickle"),
    ],
)  # fmt: skip
def test_broken_trees_give_one_message(name: str, breaks: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    breaks(tmp_path)
    with pytest.raises(DataError, match=said):
        read_quietly(name, tmp_path)
    result = CliRunner().invoke(main, ["table", f"mmf-{name}", str(tmp_path), "-o", str(tmp_path / "t.csv")])
    assert result.exit_code == 2
    assert not (tmp_path / "t.csv").exists()


def test_a_file_that_almost_has_the_name_is_named(tmp_path: Path) -> None:
    hateful_memes(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "data" / "train.jsonl").rename(tmp_path / "b" / "trian.jsonl")
    with pytest.raises(DataError, match=r"none of train\.jsonl, .*expected data/train\.jsonl.*did you mean 'trian\.jsonl'"):
        read("hateful-memes", tmp_path / "b")
    with pytest.raises(DataError, match=r"no file of the part train; found dev_seen\.jsonl \(valid\), test_seen\.jsonl \(test\)"):
        read("hateful-memes", tmp_path / "a", parts=["train"])
    with pytest.raises(ConfigError, match=r"layout 'hatefulmemes': unknown.*did you mean 'hateful-memes'"):
        rows("hatefulmemes", tmp_path)


def test_a_large_file_of_questions_is_read_entry_by_entry(tmp_path: Path) -> None:
    number = 1
    jpeg(tmp_path / "train2014" / f"COCO_train2014_{number:012d}.jpg", "red", 0)
    many = [{"image_id": number, "question": f"{'x' * 300} 红 {at} ]}},", "question_id": at} for at in range(6_000)]
    dump(
        tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json",
        {"info": {"a": [1, 2]}, "more": list(range(300_000)), "v": 2.0, "questions": many},
    )
    found = read("vqa2", tmp_path)
    assert len(found) == 6_000
    assert [row["question_id"] for row in found[::1_000]] == [str(at) for at in range(0, 6_000, 1_000)]
