"""What differs between the beginning of a run, a comparison or a search and the moment when it is resumed, and whether that can be forced.

Settings that change no result may differ. All other differences are refused, each with its own line. ``--force`` accepts them, except those
that would mix results that do not belong together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..config import quote
from ..errors import UserError, spelled
from ..language import Sentence

FREE = ("data.table", "data.valid", "data.test", "data.root", "data.cache_gb", "data.features_gb", "training.workers",
        "training.time_limit", "training.checkpoint_minutes", "training.checkpoint_steps",
        "training.checkpoint_activations", "training.track", "report.language")  # fmt: skip
"""Settings that may differ: files are compared by what was read of them, and the other settings change no result."""
MODEL = ("fields", "tasks", "model", "data.split", "seed")
"""Settings that determine the model and the rows that it is trained on. A difference in them cannot be forced in a run: models that are
trained already would be combined with other models, or measured on rows that they were trained on."""

Kind = Literal["run", "comparison", "search"]
"""What is resumed."""
_BEGAN: dict[Kind, str] = {"run": "training", "comparison": "the comparison", "search": "the search"}
_ANEW: dict[Kind, str] = {
    "run": "train anew in another folder: its trained models cannot be combined with models of other settings or other rows",
    "comparison": "compare anew in another folder: trainings under other settings or on other rows cannot be compared",
    "search": "search anew in another folder: trials under other settings or on other rows cannot be compared",
}


@dataclass(frozen=True)
class Difference:
    """A difference, and whether it makes the run or comparison another one, so that it cannot be forced."""

    line: str
    """The place, the earlier value and the present value."""
    another: bool = False


@dataclass(frozen=True)
class Basis:
    """What results depend on."""

    settings: Mapping[str, Any]
    """The experiment as plain data."""
    content: Mapping[str, str]
    """Digests and numbers of rows of the data that was read, by name."""
    code: Mapping[str, str]
    """Versions of the code, by name."""


def differences(before: Basis, now: Basis, fixed: Sequence[str] = MODEL) -> list[Difference]:
    """Return the differences in settings, code and data, in this order.

    :param before: when the run or comparison began
    :param now: when it is resumed
    :param fixed: the settings whose differences cannot be forced, by the beginning of their path; ``("",)`` = all settings and all data
    """
    differing = [
        Difference(Sentence("resume.was", place=path, old=_short(old), new=_short(new)), path.startswith(tuple(fixed)))
        for path, old, new in _changes(before.settings, now.settings)
        if path not in FREE
    ]
    differing += [
        Difference(Sentence("resume.was", place=name, old=str(before.code.get(name)), new=str(now.code.get(name))))
        for name in sorted(before.code.keys() | now.code.keys())
        if before.code.get(name) != now.code.get(name)
    ]
    for name in sorted(before.content.keys() | now.content.keys()):
        old, new = before.content.get(name), now.content.get(name)
        if old != new:
            counted = name.endswith("rows")
            line = Sentence("resume.were", place=name, old=old, new=new) if counted else Sentence("resume.other_data", place=name)
            differing.append(Difference(line, counted or name == "split" or "" in fixed))
    return differing


def refuse(folder: Path, differing: Sequence[Difference], force: bool, kind: Kind = "run") -> None:
    """Refuse to resume a run, a comparison or a search that differs from what it was when it began.

    :param folder: its folder
    :param differing: the differences
    :param force: whether the differences that can be forced are accepted
    :raises UserError: there are differences that are not accepted
    """
    another = any(one.another for one in differing)
    if not differing or (force and not another):
        return
    lines = "".join(f"\n  {one.line}" for one in differing)
    raise UserError(
        f"{folder}: not as it was when {_BEGAN[kind]} began:{lines}\nexpected no difference; undo it, or "
        f"{_ANEW[kind] if another else 'resume all the same: ' + spelled('--force', 'force=True')}"
    )


def _changes(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each setting that differs: its path, the earlier value and the present value."""
    if isinstance(before, Mapping) and isinstance(now, Mapping) and path not in FREE:
        for key in dict.fromkeys([*before, *now]):
            yield from _changes(before.get(key), now.get(key), f"{path}.{quote(key)}" if path else quote(key))
    elif before != now:
        yield path, before, now


def _short(value: Any) -> str:
    """Return a value as text of at most 60 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
