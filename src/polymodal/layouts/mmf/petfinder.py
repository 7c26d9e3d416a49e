"""PetFinder (Kaggle, "PetFinder.my Adoption Prediction", 2019): several pictures, a description, columns, and what two services of Google
read in the description and the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import DataError
from ..folders import below
from ..json_stream import Record
from .layout import Layout, Reading, text_of

_MOST_PICTURES = 100
_NAMES = {
    "breed_labels.csv": ("BreedID", "BreedName", ("Breed1", "Breed2")),
    "color_labels.csv": ("ColorID", "ColorName", ("Color1", "Color2", "Color3")),
    "state_labels.csv": ("StateID", "StateName", ("State",)),
}
"""The tables of names by file: the column of codes, that of names, and the columns whose codes they replace."""


def petfinder(reading: Reading) -> Iterator[Record]:
    """Return the pets of PetFinder; only those of the training table have the target."""
    files = reading.files({"train/train.csv": "train", "test/test.csv": "test", "train.csv": "train", "test.csv": "test"})
    names = {column: codes for file in _NAMES for codes, columns in [_names(reading, file)] for column in columns}
    header: list[str] = []
    for name, part in files:
        for at, line in enumerate(reading.folder.lines(name, "PetID"), 1):
            header = header or [column for column in line if column not in ("PetID", "AdoptionSpeed")]
            pet = below(line["PetID"], f"{reading.folder.path / name} row {at}, PetID")
            if "/" in pet:
                raise DataError(f"{reading.folder.path / name} row {at}: PetID {pet[:60]!r}; expected letters and digits")
            cells = {column: text_of(line.get(column)) for column in header}
            cells |= {column: codes.get(cells[column], cells[column]) for column, codes in names.items() if column in cells}
            yield {"PetID": pet, "split": part, "pictures": _pictures(reading, part, pet), **cells, **_sentiment(reading, part, pet),
                   **_metadata(reading, part, pet), "AdoptionSpeed": text_of(line.get("AdoptionSpeed"))}  # fmt: skip


def _names(reading: Reading, file: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the names of codes in a table, and the columns with these codes; nothing without the table."""
    code, name, columns = _NAMES[file]
    place = next((place for place in (file, f"petfinder-adoption-prediction/{file}") if reading.folder.there(place)), None)
    if place is None:
        return {}, ()
    return {text_of(line[code]): text_of(line[name]) for line in reading.folder.lines(place, code, name)}, columns


def _pictures(reading: Reading, part: str, pet: str) -> str:
    """Return the pictures of a pet, which are numbered from 1."""
    names = []
    for number in range(1, _MOST_PICTURES + 1):
        name = f"{part}_images/{pet}-{number}.jpg"
        if not reading.folder.there(name):
            break
        names.append(name)
    return ";".join(names)


def _sentiment(reading: Reading, part: str, pet: str) -> Record:
    """Return the sentiment of a description: its score from -1 to 1, its magnitude, and the language."""
    facts = _record(reading, f"{part}_sentiment/{pet}.json")
    document = facts.get("documentSentiment")
    document = document if isinstance(document, dict) else {}
    return {"sentiment_score": text_of(document.get("score")), "sentiment_magnitude": text_of(document.get("magnitude")),
            "language": text_of(facts.get("language"))}  # fmt: skip


def _metadata(reading: Reading, part: str, pet: str) -> Record:
    """Return what was recognised in the first picture: the labels, and the score of the first."""
    labels: Any = _record(reading, f"{part}_metadata/{pet}-1.json").get("labelAnnotations")
    labels = [label for label in labels if isinstance(label, dict)] if isinstance(labels, list) else []
    return {"picture_labels": ", ".join(text_of(label.get("description")) for label in labels),
            "picture_score": text_of(labels[0].get("score")) if labels else ""}  # fmt: skip


def _record(reading: Reading, name: str) -> Record:
    """Return the object of a JSON file; nothing if the file does not exist: pets without pictures or with a short description have none."""
    return reading.folder.record(name) if reading.folder.there(name) else {}


LAYOUTS = (
    Layout(
        "petfinder", "PetFinder", "pet", "Kaggle 2019, PetFinder.my Adoption Prediction",
        "train/train.csv, train_images/ID-1.jpg, train_sentiment/ID.json, train_metadata/ID-1.json",
        petfinder, "AdoptionSpeed", ignored=("PetID",), group="RescuerID",
        settings=("--column", "Description=text", "--column", "picture_labels=text"),
    ),
)  # fmt: skip
