"""Questions and sentences about pictures: VQAv2, GQA, NLVR2 and SNLI-VE."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ...errors import DataError
from ..json_stream import Record
from .layout import Layout, Reading, json_of, text_of

_COCO = ("", "images", "Images", "Images/mscoco", "mscoco", "coco")
_ID = re.compile(r"[0-9A-Za-z_.-]{1,100}")


def vqa2(reading: Reading) -> Iterator[Record]:
    """Return the questions of VQAv2 with the answers of all annotators. A part without annotations has empty answers."""
    files = reading.files(_QUESTIONS, ("", "questions", "Questions", "annotations"))
    for name, part in files:
        pictures = next(subset for subset in ("train2014", "val2014", "test-dev2015", "test2015") if subset in name)
        home = posixpath.dirname(name)
        annotated = _annotations(reading, pictures, (home, "", "annotations", "Annotations"))
        folder = pictures.replace("test-dev", "test")
        for at, entry in enumerate(reading.folder.entries(name, "question_id", "image_id", "question", under="questions"), 1):
            number = entry["image_id"]
            if type(number) is not int or not 0 <= number < 10**12:
                raise DataError(f"{reading.folder.path / name} entry {at}: image_id {str(number)[:40]!r}; expected a number")
            picture = reading.folder.file(
                "picture", *(posixpath.join(place, folder, f"COCO_{folder}_{number:012d}.jpg") for place in _COCO)
            )
            row: Record = {"question_id": text_of(entry["question_id"]), "image_id": str(number), "split": part, "picture": picture,
                           "question": text_of(entry["question"])}  # fmt: skip
            yield row | annotated.get(row["question_id"], _UNANSWERED)


_QUESTIONS = {
    f"{version}OpenEnded_mscoco_{subset}_questions.json": part
    for version in ("v2_", "")
    for subset, part in (("train2014", "train"), ("val2014", "valid"), ("test2015", "test"), ("test-dev2015", "test"))
}
_UNANSWERED = {"question_type": "", "answer_type": "", "answer": "", "answers": ""}


def _annotations(reading: Reading, subset: str, places: tuple[str, ...]) -> dict[str, Record]:
    """Return the annotations of a part by question; nothing if their file does not exist."""
    names = [posixpath.join(place, f"{version}mscoco_{subset}_annotations.json") for version in ("v2_", "") for place in places]
    name = next((name for name in names if reading.folder.there(name)), None)
    annotated: dict[str, Record] = {}
    for at, entry in enumerate(reading.folder.entries(name, "question_id", "answers", under="annotations") if name else (), 1):
        answers = entry["answers"]
        if not isinstance(answers, list) or not all(isinstance(one, dict) and "answer" in one for one in answers):
            raise DataError(f"{reading.folder.path / str(name)} entry {at}: answers {str(answers)[:40]!r}; expected objects with 'answer'")
        annotated[text_of(entry["question_id"])] = {
            "question_type": text_of(entry.get("question_type")), "answer_type": text_of(entry.get("answer_type")),
            "answer": text_of(entry.get("multiple_choice_answer")), "answers": json_of([text_of(one["answer"]) for one in answers]),
        }  # fmt: skip
    return annotated


def gqa(reading: Reading) -> Iterator[Record]:
    """Return the questions of GQA; the balanced ones unless there are only all of them."""
    names = {f"{stem}_{kind}_questions.json": part for kind in ("balanced", "all") for stem, part in _GQA.items()}
    files = reading.files(names, ("", "questions", "questions1.2"))
    if any("_balanced_" in name for name, _ in files):
        files = [(name, part) for name, part in files if "_balanced_" in name]
    for name, part in files:
        for question, entry in reading.folder.pairs(name, "question", "imageId"):
            place = f"{reading.folder.path / name} entry {question[:60]!r}, imageId"
            picture = reading.picture("picture", f"{entry['imageId']}.jpg", ("images", "", "allImages/images"), place)
            yield {"question_id": question, "image_id": text_of(entry["imageId"]), "split": part, "picture": picture,
                   "question": text_of(entry["question"]), "answer": text_of(entry.get("answer"))}  # fmt: skip


_GQA = {"train": "train", "val": "valid", "testdev": "test", "test": "test"}


def nlvr2(reading: Reading) -> Iterator[Record]:
    """Return the sentences of NLVR2, each with its two pictures. ``directory`` groups the training rows that share pictures."""
    for name, part in reading.files(_NLVR2, ("", "data", "nlvr2/data", "annotations")):
        stem = posixpath.splitext(posixpath.basename(name))[0]
        for at, entry in enumerate(reading.folder.json_lines(name, "identifier", "sentence"), 1):
            place, identifier = f"{reading.folder.path / name} line {at}", text_of(entry["identifier"])
            if not _ID.fullmatch(identifier) or "-" not in identifier:
                raise DataError(f"{place}: identifier {identifier[:60]!r}; expected one such as train-10171-0-0")
            directory = text_of(entry.get("directory"))
            if directory and not directory.isalnum():
                raise DataError(f"{place}: directory {directory[:60]!r}; expected a number")
            homes = [posixpath.join(home, stem) for home in ("images", "", "nlvr2/images")]
            folders = [*(posixpath.join(home, directory) for home in homes), *homes, "images"]
            stem_of = identifier.rpartition("-")[0]
            pictures = [reading.picture(side, f"{stem_of}-img{at}.png", folders, place) for at, side in enumerate(("left", "right"))]
            yield {"id": identifier, "directory": directory, "split": part, "left": pictures[0], "right": pictures[1],
                   "sentence": text_of(entry["sentence"]), "label": text_of(entry.get("label"))}  # fmt: skip


_NLVR2 = {f"{stem}.{extension}": part for extension in ("json", "jsonl")
          for stem, part in (("train", "train"), ("dev", "valid"), ("test1", "test"), ("test2", "test"), ("test", "test"))}  # fmt: skip


def snli_ve(reading: Reading) -> Iterator[Record]:
    """Return the hypotheses of SNLI-VE, each with its picture. The caption, which the picture replaces as the premise, is left out."""
    for name, part in reading.files({f"snli_ve_{stem}.jsonl": stem.replace("dev", "valid") for stem in ("train", "dev", "test")},
                                   ("", "annotations", "data")):  # fmt: skip
        for at, entry in enumerate(reading.folder.json_lines(name, "sentence2", "gold_label"), 1):
            place = f"{reading.folder.path / name} line {at}"
            number = next((text_of(entry[key]) for key in ("Flickr30K_ID", "Flickr30kID", "Flikr30kID") if entry.get(key)), "")
            number = number.removesuffix(".jpg")
            if not _ID.fullmatch(number):
                raise DataError(f"{place}: Flickr30K_ID {number[:60]!r}; expected the number of a picture")
            people, label = entry.get("annotator_labels"), text_of(entry["gold_label"])
            yield {"id": text_of(entry.get("pairID")), "image_id": number, "split": part,
                   "picture": reading.picture("picture", f"{number}.jpg", _FLICKR, place), "hypothesis": text_of(entry["sentence2"]),
                   "annotators": json_of([text_of(one) for one in people if one]) if isinstance(people, list) and any(people) else "",
                   "label": "" if label == "-" else label}  # fmt: skip


_FLICKR = ("flickr30k_images", "Flickr30K_Image", "flickr30k-images", "flickr30k_images/flickr30k_images", "images", "")

LAYOUTS = (
    Layout(
        "vqa2", "VQAv2", "question", "Goyal et al. 2017, arXiv:1612.00837",
        "v2_OpenEnded_mscoco_train2014_questions.json, v2_mscoco_train2014_annotations.json, ..., train2014/COCO_train2014_ID.jpg, ...",
        vqa2, "answers", ignored=("question_id", "question_type", "answer_type", "answer"), group="image_id",
        settings=("--column", "question=text", "tasks.answers.kind=answers"),
    ),
    Layout(
        "gqa", "GQA", "question", "Hudson and Manning 2019, arXiv:1902.09506", "train_balanced_questions.json, ..., images/ID.jpg", gqa,
        "answer", ignored=("question_id",), group="image_id", settings=("--column", "question=text"),
    ),
    Layout(
        "nlvr2", "NLVR2", "sentence", "Suhr et al. 2019, arXiv:1811.00491",
        "data/train.json, data/dev.json, ..., images/train/DIRECTORY/ID-img0.png, dev/ID-img0.png",
        nlvr2, "label", ignored=("id",), group="directory", settings=("--column", "sentence=text"),
    ),
    Layout(
        "snli-ve", "SNLI-VE", "hypothesis", "Xie et al. 2019, arXiv:1901.06706",
        "snli_ve_train.jsonl, snli_ve_dev.jsonl, snli_ve_test.jsonl, flickr30k_images/ID.jpg",
        snli_ve, "label", ignored=("id", "annotators"), group="image_id", settings=("--column", "hypothesis=text"),
    ),
)  # fmt: skip
