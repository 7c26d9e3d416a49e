"""Tiny trees in the layouts of the data sets of MMF, as they lie on disk after unpacking. The text or the picture tells the target."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from builders.tables import COLORS, sentence

Parts = Sequence[tuple[str, int]]


def jpeg(path: Path, color: str, seed: int) -> None:
    """A noisy picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 12, (16, 16, 3))
    Image.fromarray(np.clip(np.array(COLORS[color]) + noise, 0, 255).astype(np.uint8)).save(path)


def lines(path: Path, entries: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")


def dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def colors(rows: int, seed: int) -> list[str]:
    return [str(color) for color in np.random.default_rng(seed).choice(list(COLORS), rows)]


def said(color: str, seed: int) -> str:
    return sentence(np.random.default_rng(seed), {"red": "lemon", "green": "tiger", "blue": "火车"}[color])


def hateful_memes(folder: Path, parts: Parts = (("train", 40), ("dev_seen", 12), ("test_seen", 8))) -> Path:
    number = 1000
    for part, count in parts:
        entries = []
        for color in colors(count, len(part)):
            number += 1
            name = f"img/{number:05d}.png"
            jpeg(folder / "data" / name, color, number)
            entries.append({"id": number, "img": name, "text": said(color, number), "label": int(color == "red")})
        lines(folder / "data" / f"{part}.jsonl", entries)
    return folder


def mm_imdb(folder: Path) -> Path:
    split: dict[str, list[str]] = {}
    for part, count in (("train", 40), ("dev", 12), ("test", 8)):
        for color in colors(count, len(part)):
            film = f"{sum(map(len, split.values())) + 5:07d}"
            split.setdefault(part, []).append(film)
            dump(folder / "dataset" / f"{film}.json", {"title": f"Film {film}", "plot": [said(color, int(film)), "A longer plot of the film."],
                                                       "genres": ["Drama"] if color == "red" else ["Comedy", "Film-Noir"], "year": 1999})  # fmt: skip
            jpeg(folder / "dataset" / f"{film}.jpeg", color, int(film))
    dump(folder / "split.json", split)
    return folder


def food101(folder: Path) -> Path:
    for part, count in (("train", 45), ("test", 9)):
        (folder / "texts").mkdir(parents=True, exist_ok=True)
        with (folder / "texts" / f"{part}_titles.csv").open("w", encoding="utf-8", newline="") as file:
            for at, color in enumerate(colors(count, len(part))):
                label = {"red": "apple_pie", "green": "beet_salad", "blue": "waffles"}[color]
                name = f"{label}_{at}.jpg"
                jpeg(folder / "images" / part / label / name, color, at)
                csv.writer(file).writerow([name, f'The "best" {said(color, at)}, ever', label])
    return folder


def vqa2(folder: Path) -> Path:
    number = 0
    for subset, count in (("train2014", 40), ("val2014", 12), ("test2015", 6)):
        questions, annotations = [], []
        for color in colors(count, len(subset)):
            number += 1
            jpeg(folder / subset / f"COCO_{subset}_{number:012d}.jpg", color, number)
            questions.append({"image_id": number, "question": f"What is the colour of {said(color, number)}?", "question_id": 10 * number})
            people = [color] * 7 + ["a dark one", "Dark one.", "grey"]
            annotations.append({"question_type": "what is the", "multiple_choice_answer": color, "image_id": number, "answer_type": "other",
                                "question_id": 10 * number,
                                "answers": [{"answer": one, "answer_confidence": "yes", "answer_id": at} for at, one in enumerate(people, 1)]})  # fmt: skip
        info = {"info": {"year": 2017}, "task_type": "Open-Ended", "data_type": "mscoco", "license": {}, "data_subtype": subset}
        dump(folder / f"v2_OpenEnded_mscoco_{subset}_questions.json", info | {"questions": questions})
        if subset != "test2015":
            dump(folder / f"v2_mscoco_{subset}_annotations.json", info | {"annotations": annotations})
    return folder


def gqa(folder: Path) -> Path:
    for part, count in (("train", 40), ("val", 12), ("testdev", 8)):
        entries = {}
        for at, color in enumerate(colors(count, len(part))):
            jpeg(folder / "images" / f"{part}{at}.jpg", color, at)
            entries[f"{part[0]}{at:07d}"] = {"question": f"What colour is {said(color, at)}?", "imageId": f"{part}{at}", "answer": color,
                                             "fullAnswer": f"It is {color}.", "isBalanced": True, "types": {"detailed": "x"}}  # fmt: skip
        dump(folder / f"{part}_balanced_questions.json", entries)
    return folder


def nlvr2(folder: Path) -> Path:
    for part, count in (("train", 40), ("dev", 12), ("test1", 8)):
        entries = []
        for at, color in enumerate(colors(count, len(part))):
            home = folder / "images" / "train" / str(at % 5) if part == "train" else folder / part
            jpeg(home / f"{part}-{at}-0-img0.png", color, at)
            jpeg(home / f"{part}-{at}-0-img1.png", "blue", at + 1)
            entries.append({"identifier": f"{part}-{at}-0-1", "sentence": said(color, at), "label": str(color == "red"), "left_url": "http://x",
                            "right_url": "http://y", **({"directory": at % 5} if part == "train" else {})})  # fmt: skip
        lines(folder / "data" / f"{part}.json", entries)
    return folder


def snli_ve(folder: Path) -> Path:
    labels = {"red": "entailment", "green": "neutral", "blue": "contradiction"}
    for part, count in (("train", 40), ("dev", 12), ("test", 8)):
        entries = []
        for at, color in enumerate(colors(count, len(part))):
            number = f"{len(part)}{at:06d}"
            jpeg(folder / "flickr30k_images" / f"{number}.jpg", color, at)
            entries.append({"Flickr30K_ID": number, "gold_label": labels[color], "sentence1": "A caption.", "sentence2": said(color, at),
                            "annotator_labels": [labels[color]] * 4 + ["neutral"], "pairID": f"{number}.jpg#2r1e"})  # fmt: skip
        lines(folder / f"snli_ve_{part}.jsonl", entries)
    return folder


def petfinder(folder: Path) -> Path:
    header = ["Type", "Name", "Age", "Breed1", "Color1", "State", "RescuerID", "PhotoAmt", "Description", "PetID"]
    for part, count in (("train", 45), ("test", 6)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        with (folder / part / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*header, "AdoptionSpeed"] if part == "train" else header)
            for at, color in enumerate(colors(count, len(part))):
                pet = f"{part[0]}{at:04x}"
                for number in range(1, 1 + at % 3):
                    jpeg(folder / f"{part}_images" / f"{pet}-{number}.jpg", color, at + number)
                if at % 3:
                    dump(folder / f"{part}_metadata" / f"{pet}-1.json", {"labelAnnotations": [{"description": "dog", "score": 0.98},
                                                                                              {"description": color, "score": 0.9}]})  # fmt: skip
                if at % 4:
                    dump(
                        folder / f"{part}_sentiment" / f"{pet}.json",
                        {"documentSentiment": {"magnitude": 2.4, "score": 0.3}, "language": "en"},
                    )
                speed = [str(list(COLORS).index(color) + 1)] if part == "train" else []
                writer.writerow(
                    [1 + at % 2, f"Pet {at}", at % 30, 265 + at % 2, 1, 41326, f"r{at % 20}", at % 3, said(color, at), pet, *speed]
                )
    (folder / "breed_labels.csv").write_text("BreedID,Type,BreedName\n265,2,Domestic Medium Hair\n266,2,Tabby\n")
    (folder / "color_labels.csv").write_text("ColorID,ColorName\n1,Black\n")
    return folder


def mosei_content(rows: dict[str, int] | None = None) -> dict[str, Any]:
    """The mapping that the pickle of CMU-MOSEI contains: padding in front, minus infinity in the sound, ids as lists."""
    content = {}
    for part, count in (rows or {"train": 40, "valid": 12, "test": 8}).items():
        rng = np.random.default_rng(len(part))
        label = rng.uniform(-3, 3, count)
        steps = np.arange(10)[None, :, None] >= rng.integers(0, 5, count)[:, None, None]
        sound = (label[:, None, None] + rng.normal(0, 0.1, (count, 10, 3))) * steps
        sound[0, 9, 2] = -np.inf
        content[part] = {
            "vision": (rng.normal(size=(count, 10, 4)) * steps).astype(np.float32), "audio": sound,
            "text": (rng.normal(size=(count, 10, 5)) * steps).astype(np.float32), "labels": label[:, None, None].astype(np.float32),
            "id": np.array([[f"video{at % 9}", "1.5", "2.5"] for at in range(count)]),
        }  # fmt: skip
    return content


def mosei(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mosei_senti_data.pkl").write_bytes(pickle.dumps(mosei_content(), protocol=2))
    return folder


def annotation_files(folder: Path) -> Path:
    """One file of each kind: an array of objects that begins with facts, a JSON object with a list, and lines."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for name, count in (("train", 40), ("val", 12), ("test", 8)):
        entries: list[dict[str, Any]] = []
        for at, color in enumerate(colors(count, len(name))):
            jpeg(folder / "images" / f"{name}_{at}.jpg", color, at)
            entries.append(
                {"image_name": f"{name}_{at}", "question_str": said(color, at), "question_tokens": ["what", "is"], "label": color}
            )
        if name == "train":
            np.save(
                folder / "annotations" / "train.npy",
                np.array([{"dataset_name": "x", "version": 1}, *entries], dtype=object),
                allow_pickle=True,
            )
        elif name == "val":
            dump(folder / "annotations" / "val.json", {"metadata": {"version": 1.0}, "data": entries})
        else:
            lines(folder / "annotations" / "test.jsonl", entries)
    return folder


TREES: dict[str, Callable[[Path], Path]] = {
    "hateful-memes": hateful_memes, "mm-imdb": mm_imdb, "food101": food101, "vqa2": vqa2, "gqa": gqa, "nlvr2": nlvr2, "snli-ve": snli_ve,
    "petfinder": petfinder, "mosei": mosei, "annotations": annotation_files,
}  # fmt: skip
"""A function that writes a tree, by the name of the layout."""
