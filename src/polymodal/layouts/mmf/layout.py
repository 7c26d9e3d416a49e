"""What the layouts of MMF's data sets share: a description, finding the annotation files of each part, and pictures in one of several
places."""

from __future__ import annotations

import json
import os
import posixpath
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, nearest
from ...language import Sentence
from ..folders import Folder, below
from ..json_stream import Record
from ..usage import PARTS, Usage


@dataclass(frozen=True)
class Option:
    """A setting of one layout, which is an option of its command.

    :param name: the name of the setting, such as ``plot``
    :param help: one sentence on it
    :param choices: the values that it may have, the default first; () = any text, by default none
    :param repeated: whether it may be given several times
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()
    repeated: bool = False

    @property
    def default(self) -> Any:
        """The value that is used unless another is given."""
        return () if self.repeated else self.choices[0] if self.choices else None


@dataclass(frozen=True)
class Layout:
    """The folder structure of one data set, and how its table is used.

    :param name: the name of its command after ``mmf-``
    :param title: the name of the data set
    :param row: what a row of the table is
    :param paper: the publication
    :param content: the files that are expected, for messages
    :param read: returns the rows
    :param target: the column that a model predicts, unless the option ``target`` names another
    :param ignored: columns that are not features
    :param group: the column whose rows stay in one part of a split; "" = none
    :param settings: further words of the command that trains, such as ``--column plot=text``
    :param options: the settings of this layout
    :param has_arrays: whether arrays of the rows become files beside the table
    """

    name: str
    title: str
    row: str
    paper: str
    content: str
    read: Callable[[Reading], Iterator[Record]]
    target: str
    ignored: tuple[str, ...] = ()
    group: str = ""
    settings: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    has_arrays: bool = False


class Reading:
    """A folder in a layout, the parts that are requested, and what was met while it was read.

    :param layout: the layout
    :param folder: the path of the folder
    :param parts: the parts to read, of ``PARTS``; () = all
    :param arrays: a folder below which arrays become files; None = no array can be written
    :param options: the settings of the layout by name
    :raises ConfigError: a part or a setting is unknown
    :raises DataError: the path is not a folder
    """

    def __init__(
        self, layout: Layout, folder: str | os.PathLike[str], parts: Sequence[str], arrays: Path | None, options: Mapping[str, Any]
    ) -> None:
        for part in parts:
            if part not in PARTS:
                raise ConfigError(f"part {part!r}: unknown; expected {', '.join(PARTS)}{nearest(part, PARTS)}")
        known = {option.name: option for option in layout.options}
        for name, value in options.items():
            if name not in known:
                raise ConfigError(f"mmf-{layout.name}: no option {name!r}; expected {', '.join(known) or 'none'}{nearest(name, known)}")
            if known[name].choices and value not in known[name].choices:
                hint = nearest(str(value), known[name].choices)
                raise ConfigError(f"mmf-{layout.name}, {name}: {value!r}; expected {', '.join(known[name].choices)}{hint}")
        self.layout, self.parts, self.arrays = layout, tuple(parts), arrays
        self.options = {name: option.default for name, option in known.items()} | dict(options)
        self.folder = Folder(folder, f"{layout.title}: {layout.content}")
        self._read: defaultdict[str, list[str]] = defaultdict(list)
        """The annotation files of each part that are read."""

    def rows(self) -> Iterator[Record]:
        """Yield the rows. Afterwards, pictures that do not exist are reported."""
        found: set[str] = set()
        try:
            for row in self.layout.read(self):
                found.add(row["split"])
                yield row
        except NotText as error:
            raise DataError(f"{self.folder.place}: {error}; expected text or a number") from None
        if not found:
            raise DataError(f"{self.folder.path}: no rows; expected {self.layout.content}")
        for part, names in self._read.items():
            if part and part not in found:
                raise DataError(
                    f"{self.folder.path}: no rows in {', '.join(names)}; expected those of the part {part}; copy the files again"
                )
        self.folder.warn_missing(apart=True)

    def wants(self, part: str) -> bool:
        """Return whether the rows of a part are requested; those of "", a file with all parts, are."""
        return not self.parts or not part or part in self.parts

    def files(self, names: Mapping[str, str], places: Sequence[str] = ("",)) -> list[tuple[str, str]]:
        """Return the annotation files that exist, each with its part.

        :param names: the part of each file name, in the order in which they are read; "" = the file contains all parts
        :param places: the folders in which they may lie; the first with any of them is used
        :raises DataError: there is none, or none of the requested parts
        """
        for place in places:
            present = [(name, part) for name, part in names.items() if self.folder.there(posixpath.join(place, name))]
            if present:
                wanted = [(posixpath.join(place, name), part) for name, part in present if self.wants(part)]
                if not wanted:
                    found = ", ".join(f"{name} ({part})" for name, part in present)
                    raise DataError(f"{self.folder.path / place}: no file of the part {' or '.join(self.parts)}; found {found}")
                for name, part in wanted:
                    self._read[part].append(name)
                return wanted
        here = sorted(path.name for path in self.folder.path.iterdir())
        near = next((hint for name in names if (hint := nearest(name, here))), "")
        raise DataError(f"{self.folder.path}: none of {', '.join(names)}; expected {self.layout.content} ({self.layout.title}){near}")

    def picture(self, column: str, name: Any, places: Sequence[str], place: str, extensions: Sequence[str] = ("",)) -> str:
        """Return the path of a picture below the first of several folders that has it; "" if none has, counted for ``column``.

        :param name: its name in the annotation file
        :param places: the folders in which it may lie
        :param place: where the name comes from, for messages
        :param extensions: what may follow the name
        """
        below(name, place)
        return self.folder.file(
            column, *(posixpath.join(folder, name + extension) for folder in dict.fromkeys(places) for extension in extensions)
        )

    def unique(self, rows: Iterator[Record], key: str) -> Iterator[Record]:
        """Yield the rows whose ``key`` has not occurred yet, and report the others."""
        seen: set[Any] = set()
        again = 0
        for row in rows:
            if row[key] in seen:
                again += 1
                continue
            seen.add(row[key])
            yield row
        if again:
            warnings.warn(Sentence("layout.again", folder=str(self.folder.path), count=again, column=key), UserWarning, stacklevel=2)

    def usage(self) -> Usage:
        """Return how the table of the rows is used for training."""
        layout = self.layout
        target, root = self.options.get("target") or layout.target, None if self.arrays else str(self.folder.path)
        return Usage(target, root, layout.group, layout.ignored, layout.settings)


def json_of(values: Any) -> str:
    """Return a list or a mapping as the text of a cell."""
    return json.dumps(values, ensure_ascii=False)


class NotText(Exception):
    """A value of an annotation file is neither text nor a number."""


def text_of(value: Any) -> str:
    """Return a value of an annotation file as the text of a cell; "" for none.

    :raises NotText: the value is a list or an object
    """
    if isinstance(value, (list, tuple, dict)):
        raise NotText(f"found {str(value)[:40]!r}")
    return "" if value is None else " ".join(str(value).replace("\0", "").split())
