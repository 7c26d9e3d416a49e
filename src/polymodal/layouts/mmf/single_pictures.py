"""One picture and one text a row: Hateful Memes, MM-IMDb and UPMC Food-101."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator

from ...errors import DataError, counted
from ..json_stream import Record
from .layout import Layout, Option, Reading, text_of

_FILM = re.compile(r"[0-9A-Za-z_-]{1,40}")
_PICTURE = re.compile(r".+\.(jpe?g|png|webp|bmp|gif)", re.IGNORECASE)


def hateful_memes(reading: Reading) -> Iterator[Record]:
    """Return the memes of Hateful Memes. A meme of a later file that an earlier one contains is left out."""
    names = {f"{name}.jsonl": part for part, some in _MEMES.items() for name in some}
    return reading.unique(_memes(reading, reading.files(names, ("data", "", "annotations", "defaults/annotations"))), "id")


_MEMES = {"train": ["train"], "valid": ["dev", "dev_seen", "dev_unseen"], "test": ["test", "test_seen", "test_unseen"]}


def _memes(reading: Reading, files: list[tuple[str, str]]) -> Iterator[Record]:
    for name, part in files:
        folder = posixpath.dirname(name)
        places = (folder, "", "data", posixpath.join(posixpath.dirname(folder), "images"))
        for at, entry in enumerate(reading.folder.json_lines(name, "id", "img", "text"), 1):
            picture = reading.picture("picture", entry["img"], places, f"{reading.folder.path / name} line {at}, img")
            yield {"id": text_of(entry["id"]), "file": posixpath.basename(name), "split": part, "picture": picture,
                   "text": text_of(entry["text"]), "label": text_of(entry.get("label"))}  # fmt: skip


def mm_imdb(reading: Reading) -> Iterator[Record]:
    """Return the films of MM-IMDb. A film may have several plots; the option ``plot`` selects one."""
    ((name, _),) = reading.files({"split.json": ""}, ("", "mmimdb"))
    split, home = reading.folder.record(name), posixpath.dirname(name)
    for key, part in (("train", "train"), ("dev", "valid"), ("test", "test")):
        ids = split.get(key, [])
        if not isinstance(ids, list):
            raise DataError(f"{reading.folder.path / name}: found {str(ids)[:20]!r} under {key!r}; expected a list of ids")
        for film in ids if reading.wants(part) else ():
            film = text_of(film) if isinstance(film, str) or type(film) is int else ""
            if not _FILM.fullmatch(film):
                raise DataError(f"{reading.folder.path / name}: id {film[:60]!r} in {key!r}; expected text of digits")
            place = posixpath.join(home, "dataset", film)
            facts = reading.folder.record(f"{place}.json")
            genres = facts.get("genres") or []
            poster = reading.folder.file("poster", f"{place}.jpeg", f"{place}.jpg")
            named = [text_of(genre) for genre in genres if isinstance(genre, str)] if isinstance(genres, list) else []
            yield {"id": film, "split": part, "title": text_of(facts.get("title")), "plot": _plot(facts, reading.options["plot"]),
                   "poster": poster, "genres": ";".join(named)}  # fmt: skip


def _plot(facts: Record, which: str) -> str:
    plots = facts.get("plot")
    texts = [text_of(plot) for plot in (plots if isinstance(plots, list) else [plots])]
    texts = [text for text in texts if text] or [text_of(facts.get("plot outline"))]
    return {"first": texts[0], "longest": max(texts, key=len), "all": " ".join(texts)}[which]


def food101(reading: Reading) -> Iterator[Record]:
    """Return the recipes of UPMC Food-101. The tables have no header."""
    for name, part in reading.files({"train_titles.csv": "train", "test_titles.csv": "test"}, ("texts", "")):
        home = posixpath.dirname(posixpath.dirname(name))
        place = reading.folder.path / name
        with reading.folder.open(name) as file:
            reader = csv.reader(iter(lambda file=file: file.readline(2**22), ""))  # type: ignore[misc]
            try:
                for at, cells in enumerate(reader, 1):
                    if not cells or (at == 1 and not _PICTURE.fullmatch(cells[0])):  # some copies have a header
                        continue
                    if len(cells) != 3:
                        raise DataError(f"{place} line {at}: {counted(len(cells), 'cell')}; expected a picture, a title and a class")
                    picture, title, label = cells
                    shown = reading.picture(
                        "picture", posixpath.join(label.strip(), picture), [posixpath.join(home, "images", part)], f"{place} line {at}"
                    )
                    yield {"split": part, "picture": shown, "title": text_of(title), "label": label.strip()}
            except csv.Error as error:
                raise DataError(f"{place} line {reader.line_num}: not valid CSV ({error}); expected rows") from None


LAYOUTS = (
    Layout(
        "hateful-memes", "Hateful Memes", "meme", "Kiela et al. 2020, arXiv:2005.04790", "data/train.jsonl, data/dev_seen.jsonl, ..., img/",
        hateful_memes, "label", ignored=("id", "file"), settings=("--column", "text=text"),
    ),
    Layout(
        "mm-imdb", "MM-IMDb", "film", "Arevalo et al. 2017, arXiv:1702.01992", "split.json, dataset/ID.json, dataset/ID.jpeg", mm_imdb,
        "genres",
        ignored=("id",), settings=("--column", "title=text", "--column", "plot=text"),
        options=(Option("plot", "Which of a film's plots is taken; all = all of them, joined.", ("first", "longest", "all")),),
    ),
    Layout(
        "food101", "UPMC Food-101", "recipe", "Wang et al. 2015, doi:10.1109/ICMEW.2015.7169757",
        "texts/train_titles.csv, texts/test_titles.csv, images/train/CLASS, images/test/CLASS",
        food101, "label", settings=("--column", "title=text"),
    ),
)  # fmt: skip
