"""The journal of a comparison or a search: one JSON line for each decision and each result, appended and synced.

The first line describes what the results depend on: settings, data, code and arguments. A line that was cut off by the end of the process
is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ..config import shortened
from ..errors import UserError, spelled
from ..language import Sentence
from ..storage import write_whole
from ..training.observers import plain
from .differences import Basis, Difference, Kind, differences, refuse

_FORMAT = 2


def ignore(text: str) -> None:
    """Ignore a warning."""


class LineJournal:
    """A journal to which lines are appended.

    :param path: the file; None = nothing is kept
    :param about: what the results depend on: ``experiment``, ``content`` and ``code`` as in ``Basis``, and the arguments ``asked``
    :param force: whether it is resumed in spite of differences that can be forced
    :param warn: called with a message for each difference that is forced
    :raises UserError: the file cannot be read, or the comparison differs from what it was when it began
    """

    kind: ClassVar[Kind] = "comparison"
    """What is resumed from it."""

    def __init__(self, path: Path | None, about: Mapping[str, Any], force: bool = False, warn: Callable[[str], None] = ignore) -> None:
        self.path = path
        self.decisions: dict[str, Any] = {}
        self.spent = 0.0
        """The seconds that all processes have worked on it."""
        about = plain({"format": _FORMAT, **about})
        if path is None:
            return
        if path.exists():
            self._read(path, about, force, warn)
        else:
            write_whole(path, _line({"about": about}))

    def decide(self, key: str, value: Any, spent: float) -> Any:
        """Record a decision before it takes effect, and return it.

        :param spent: the seconds spent so far
        """
        self.decisions[key] = value
        self.append({"decided": {key: value}}, spent)
        return value

    def append(self, entry: Mapping[str, Any], spent: float) -> None:
        """Append a line and sync the file.

        :param spent: the seconds spent so far
        """
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(_line({**entry, "spent": round(spent, 3)}))
                file.flush()
                os.fsync(file.fileno())

    def take(self, entry: Mapping[str, Any]) -> None:
        """Process an entry that is not a decision when the journal is read. Raise ``KeyError``, ``TypeError`` or ``ValueError`` if it is
        invalid."""

    def _read(self, path: Path, about: Mapping[str, Any], force: bool, warn: Callable[[str], None]) -> None:
        """Read the journal, and compare the beginning with the present."""
        lines = path.read_bytes().split(b"\n")
        try:
            entries = [json.loads(line) for line in lines[:-1]]  # the last one is empty, or a part of a line
            differing = _differences(entries[0]["about"], about)
            for entry in entries[1:]:
                self.spent = entry["spent"]
                if "decided" in entry:
                    self.decisions |= entry["decided"]
                else:
                    self.take(entry)
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: cannot be read ({error!r}); expected the results of a {self.kind}; begin it anew "
                f"({spelled('--overwrite', 'overwrite=True')})"
            ) from None
        refuse(path.parent, differing, force, self.kind)
        for one in differing:
            warn(Sentence("resume.forced", difference=one.line))
        if lines[-1] or differing:
            head = _line({"about": about}).rstrip(b"\n") if differing else lines[0]
            write_whole(path, b"\n".join([head, *lines[1:-1], b""]))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return the differences between the beginning of a comparison and now. Only those of the code can be forced."""
    given = {"format": (before.get("format"), now["format"])}
    given |= {name: (before["asked"].get(name), value) for name, value in now["asked"].items()}
    differing = [
        Difference(f"{name}: was {shortened(old)}, is {shortened(new)}", another=True) for name, (old, new) in given.items() if old != new
    ]
    return differing + differences(_basis(before), _basis(now), fixed=("",))


def _basis(about: Mapping[str, Any]) -> Basis:
    """Return what the results of a comparison depend on."""
    return Basis(about["experiment"], about["content"], about["code"])


def _line(tree: Mapping[str, Any]) -> bytes:
    """Return plain data as a line of JSON."""
    return json.dumps(plain(tree), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
