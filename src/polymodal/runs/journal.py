"""What a run must remember to go on as if it had never stopped: what it is, and what the clock and the memory decided.

``checkpoints/ledger.json`` is written whole after each decision, before it takes effect. Weights are in the checkpoints beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy
import PIL
import pyarrow
import tokenizers
import torch

from .. import __version__
from ..config import External, quote
from ..data.sources import Source
from ..encoders import EncoderConfig
from ..errors import UserError
from ..experiment import Experiment
from ..storage import write_whole
from ..training.clock import Clock

FREE = ("data.table", "data.valid", "data.test", "data.root", "data.cache_gb", "data.features_gb", "training.workers",
        "training.time_limit", "training.checkpoint_minutes", "training.checkpoint_steps")  # fmt: skip
"""Settings that a resumed run may change: files are compared by what was read of them, and the others change no result."""
MADE_OF = ("fields", "tasks", "model", "data.split", "seed")
"""Settings that decide what the model is made of and which rows it sees: one trained under others is another model, and measured on rows
that it was trained on. Such a difference cannot be forced."""
ASIDE = ".replaced"
"""Where a run that is being replaced stays until the new one trains: a table that cannot be trained on must not cost it."""
_FORMAT = 1


@dataclass(frozen=True)
class Difference:
    """A line that says what is not as it was, and whether that makes it another run altogether."""

    line: str
    another: bool = False


def differing(folder: Path, found: Sequence[Difference], force: bool) -> None:
    """``UserError`` for a run that is not what it was when it began, unless all of that may be forced, and is."""
    if not found or (force and not any(one.another for one in found)):
        return
    lines = "".join(f"\n  {one.line}" for one in found)
    fix = "mend it, or resume all the same: --force"
    if any(one.another for one in found):
        fix = "mend it, or train anew in another folder (-o RUN): trained models and rows held out from them would not go together"
    raise UserError(f"{folder}: not as it was when training began:{lines}\nexpected no difference; {fix}")


@dataclass
class Journal:
    """The memory of one run."""

    path: Path
    experiment: dict[str, Any] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    """Digests of the data, by what it is."""
    states: dict[str, Any] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    """Versions, by what they are of."""
    threads: int = 0
    decisions: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    """Digests of the tables (table, valid, test) as they are written."""
    memory: list[str] = field(default_factory=list)
    """Which tables (table, valid, test) were not files."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why each setting is what it is, by path: the comments of ``run.yaml``."""
    spent: float = 0.0
    """Seconds of all processes that worked on the run."""
    ended: bool = False
    clock: Clock | None = None
    limit_changed: bool = False
    """Whether it is resumed under another time limit."""

    @classmethod
    def read(cls, path: Path) -> Journal | None:
        """The ledger of a run, None where training had not begun; ``UserError`` for one that was altered."""
        try:
            tree = json.loads(path.read_bytes())
            check = tree.pop("check")
            if tree.pop("format") != _FORMAT or check != _check(tree | {"format": _FORMAT}):
                raise ValueError("altered since it was written, or of another format")
            return cls(path, **tree)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}: cannot be read ({error}); expected what this run has decided; train anew (--overwrite)") from None

    def decide(self, key: str, value: Any) -> Any:
        """Write a decision down, then give it back."""
        self.decisions[key] = value
        self.save()
        return value

    def save(self) -> None:
        """Write the whole of it (``OSError``)."""
        if self.clock is not None:
            self.spent = self.clock.spent
        names = ("experiment", "content", "states", "code", "threads", "decisions", "tables", "memory", "reasons", "spent", "ended")
        tree = {"format": _FORMAT, **{name: getattr(self, name) for name in names}}
        write_whole(self.path, json.dumps(tree | {"check": _check(tree)}, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def differences(self, experiment: Experiment, content: dict[str, str] | None = None) -> list[Difference]:
        """What is not as it was when the run began: settings, code, and the data once it is read."""
        found = [
            Difference(f"{path}: was {_short(before)}, is {_short(now)}", path.startswith(MADE_OF))
            for path, before, now in _changes(self.experiment, experiment.tree())
            if path not in FREE
        ]
        code = code_of(experiment)
        names = sorted(self.code.keys() | code)
        changed = [name for name in names if self.code.get(name) != code.get(name)]
        found += [Difference(f"{name}: was {self.code.get(name)}, is {code.get(name)}") for name in changed]
        data = self.content if content is None else content
        for what in sorted(self.content.keys() | data):
            before, now = self.content.get(what), data.get(what)
            if before != now:
                line = f"{what}: were {before}, are {now}" if what.endswith("rows") else f"{what}: other data than before"
                found.append(Difference(line, what.endswith("rows") or what == "split"))
        return found


def digest_of(experiment: Experiment, source: Source) -> str:
    """Of all that a run reads of a table, as it is written."""
    data = experiment.data
    named = [*experiment.columns_and_targets(), *data.split.columns, data.weight]
    return source.digest([column for column in dict.fromkeys(named) if column is not None and column in source.columns])


def code_of(experiment: Experiment) -> dict[str, str]:
    """The versions of all code that a result depends on, our own and that which the experiment names by its content."""
    parts = [*experiment.model.encoders.values(), experiment.model.fusion]
    external = {part.kind: _module(part) for part in parts if isinstance(part, External)}
    for part in experiment.model.encoders.values():
        libraries = part.libraries if isinstance(part, EncoderConfig) else ()
        external |= {name: _version(name) for name in libraries}
    return {
        "polymodal": f"{__version__} ({_source()})",
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pyarrow": pyarrow.__version__,
        "Pillow": PIL.__version__,
        "tokenizers": tokenizers.__version__,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        **external,
    }


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"


def _source() -> str:
    """A digest of this package's own source: a version in development changes without its number."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _module(part: External) -> str:
    """A digest of the file that holds ``module:Class``."""
    file = getattr(sys.modules.get(part.load().__module__), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12] if file and os.path.isfile(file) else "built in"


def _changes(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(now, Mapping) and path not in FREE:
        for key in dict.fromkeys([*before, *now]):
            yield from _changes(before.get(key), now.get(key), f"{path}.{quote(key)}" if path else quote(key))
    elif before != now:
        yield path, before, now


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _check(tree: Mapping[str, Any]) -> str:
    body = json.dumps(tree, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return hashlib.sha256(body).hexdigest()
