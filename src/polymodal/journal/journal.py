"""The journal of a run: its settings, data and code when it began, and the decisions that depend on time or memory.

``checkpoints/ledger.json`` is written atomically after each decision, before the decision takes effect. The weights are in the checkpoints
beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError, spelled
from ..experiment import Experiment
from ..language import Sentence
from ..storage import checksum_of, write_whole
from ..training.clock import Clock
from .differences import Basis, Difference, differences
from .versions import code_of

JOURNAL_FILE = "checkpoints/ledger.json"
"""The file in the folder of a run."""
_FORMAT = 1


@dataclass
class Journal:
    """The journal of a run."""

    path: Path
    experiment: dict[str, Any] = field(default_factory=dict)
    """The experiment as plain data, with absolute paths."""
    content: dict[str, str] = field(default_factory=dict)
    """Digests and numbers of rows of the data that was read, by name."""
    states: dict[str, Any] = field(default_factory=dict)
    """The fitted states of modalities and tasks."""
    code: dict[str, str] = field(default_factory=dict)
    """Versions of the code, by name."""
    threads: int = 0
    """The number of threads that the run computes on; 0 = unknown."""
    decisions: dict[str, Any] = field(default_factory=dict)
    """The decisions that were made, by name."""
    tables: dict[str, str] = field(default_factory=dict)
    """Digests of the tables, by ``table``, ``valid`` and ``test``."""
    memory: list[str] = field(default_factory=list)
    """Which of ``table``, ``valid`` and ``test`` were not files."""
    reasons: dict[str, str] = field(default_factory=dict)
    """The reason for each inferred setting, by path: the comments of ``run.yaml``."""
    spent: float = 0.0
    """The seconds that all processes have worked on the run."""
    ended: bool = False
    """Whether training has ended."""
    clock: Clock | None = None
    """The clock that ``spent`` is read from when the journal is saved."""
    limit_changed: bool = False
    """Whether the run is resumed under another time limit."""

    @classmethod
    def read(cls, path: Path) -> Journal | None:
        """Return the journal in a file, or None if there is no file because training had not begun.

        :raises UserError: the file cannot be read, was altered, or has another format
        """
        try:
            tree = json.loads(path.read_bytes())
            check = tree.pop("check")
            if tree.pop("format") != _FORMAT or check != checksum_of(tree | {"format": _FORMAT}):
                raise ValueError("altered since it was written, or of another format")
            sentences = tree.pop("sentences", {})
            tree["reasons"] = {name: Sentence.read(reason, sentences.get(name)) for name, reason in tree["reasons"].items()}
            return cls(path, **tree)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            fix = f"train anew ({spelled('--overwrite', 'overwrite=True')})"
            raise UserError(f"{path}: cannot be read ({error}); expected the decisions of a run; {fix}") from None

    def decide(self, key: str, value: Any) -> Any:
        """Record a decision, and return it."""
        self.decisions[key] = value
        self.save()
        return value

    def forget(self, *names: str) -> None:
        """Remove the decisions whose key is one of these names, or begins with it and a space."""
        self.decisions = {key: value for key, value in self.decisions.items() if key.partition(" ")[0] not in names}

    def save(self) -> None:
        """Write the journal to its file. Raises ``OSError`` if that fails."""
        if self.clock is not None:
            self.spent = self.clock.spent
        names = ("experiment", "content", "states", "code", "threads", "decisions", "tables", "memory", "reasons", "spent", "ended")
        tree = {"format": _FORMAT, **{name: getattr(self, name) for name in names}}
        tree["sentences"] = {name: reason.facts() for name, reason in self.reasons.items() if isinstance(reason, Sentence)}
        write_whole(self.path, json.dumps(tree | {"check": checksum_of(tree)}, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def differences(self, experiment: Experiment, content: dict[str, str] | None = None) -> list[Difference]:
        """Return what differs from when the run began: settings, code, and data.

        :param experiment: the present experiment
        :param content: digests of the present data; None = the data is not read yet, and is not compared
        """
        before = Basis(self.experiment, self.content, self.code)
        return differences(before, Basis(experiment.tree(), self.content if content is None else content, code_of(experiment)))
