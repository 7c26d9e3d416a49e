"""What a run must remember to go on as if it had never stopped: what it is, and what the clock and the memory decided.

``checkpoints/ledger.json`` is written whole after each decision, before it takes effect. Weights are in the checkpoints beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import PIL
import pyarrow
import tokenizers
import torch

from .. import __version__
from ..config import External, quote
from ..disk import write_whole
from ..errors import UserError
from ..experiment import Experiment
from ..training.plan import Clock

FREE = ("data.table", "data.valid", "data.test", "data.root", "data.cache_gb", "training.workers", "training.time_limit",
        "training.checkpoint_minutes", "training.checkpoint_steps")  # fmt: skip
"""Settings that a resumed run may change: files are compared by what was read of them, and the others change no result."""
_FORMAT = 1


@dataclass
class Ledger:
    """The memory of one run."""

    path: Path | None
    """None: kept nowhere."""
    experiment: dict[str, Any] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    """Digests of the data, by what it is."""
    states: dict[str, Any] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    """Versions, by what they are of."""
    threads: int = 0
    decisions: dict[str, Any] = field(default_factory=dict)
    spent: float = 0.0
    """Seconds of all processes that worked on the run."""
    ended: bool = False
    clock: Clock | None = None

    @classmethod
    def read(cls, path: Path) -> Ledger | None:
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
        if self.path is None:
            return
        if self.clock is not None:
            self.spent = self.clock.spent
        names = ("experiment", "content", "states", "code", "threads", "decisions", "spent", "ended")
        tree = {"format": _FORMAT, **{name: getattr(self, name) for name in names}}
        write_whole(self.path, json.dumps(tree | {"check": _check(tree)}, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def differences(self, experiment: Experiment, content: dict[str, str] | None = None) -> list[str]:
        """What is not as it was when the run began, a line each: settings, code, and the data once it is read."""
        found = [
            f"{path}: was {_short(before)}, is {_short(now)}"
            for path, before, now in _changes(self.experiment, experiment.tree())
            if path not in FREE
        ]
        code = code_of(experiment)
        names = sorted(self.code.keys() | code)
        found += [f"{name}: was {self.code.get(name)}, is {code.get(name)}" for name in names if self.code.get(name) != code.get(name)]
        data = self.content if content is None else content
        for what in sorted(self.content.keys() | data):
            before, now = self.content.get(what), data.get(what)
            if before != now:
                found.append(f"{what}: were {before}, are {now}" if what.endswith("rows") else f"{what}: other data than before")
        return found


def code_of(experiment: Experiment) -> dict[str, str]:
    """The versions of all code that a result depends on, our own and that which the experiment names by its content."""
    parts = [*experiment.model.encoders.values(), experiment.model.fusion]
    external = {part.kind: _module(part) for part in parts if isinstance(part, External)}
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
