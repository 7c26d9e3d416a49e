"""Checkpoints: the state from which training resumes with results identical to the bit.

A checkpoint is one safetensors file. It contains the tensors (weights, best weights, optimizer, random generators) and, in its header, the
facts (the progress of training, as JSON) and the SHA-256 of the whole file. The folder ``checkpoints`` of a run contains

- ``last.safetensors``: the latest checkpoint of the model in training; ``previous.safetensors``: the checkpoint before it
- ``<unit>.safetensors``: a model whose training has ended, such as ``fold_0``, or ``only_1_fold_0`` for the second field alone
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..errors import PolymodalError
from ..language import Sentence
from ..storage import write_whole
from .events import CheckpointEvent, WarningEvent
from .observers import Observer

Facts = dict[str, Any]
LAST, PREVIOUS = "last", "previous"
_UNSEALED = "0" * 64
_FIRST_BYTES = 8  # the length of a safetensors header
_SHARE = 0.02
"""The maximum fraction of time spent on writing checkpoints by time."""


class BrokenCheckpoint(PolymodalError):
    """Raised for a checkpoint that is not a valid file or was altered since it was written."""


def seal(tensors: Mapping[str, Tensor], facts: Facts) -> bytes:
    """Return the bytes of a checkpoint."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {"facts": json.dumps(facts, ensure_ascii=True, separators=(",", ":")), "sha256": _UNSEALED}
    body = save_tensors(plain, metadata)
    at = _seal_at(body)
    return body[:at] + hashlib.sha256(body).hexdigest().encode() + body[at + len(_UNSEALED) :]


def unseal(body: bytes) -> tuple[dict[str, Tensor], Facts]:
    """Return the tensors (copied) and the facts of a checkpoint.

    :raises BrokenCheckpoint: it is not a checkpoint, or any bit of it has changed
    """
    try:
        length = int.from_bytes(body[:_FIRST_BYTES], "little")
        metadata = json.loads(body[_FIRST_BYTES : _FIRST_BYTES + length])["__metadata__"]
        stated = metadata["sha256"].encode()
        at = _seal_at(body, stated)
        computed = hashlib.sha256(body[:at])
        computed.update(_UNSEALED.encode())
        computed.update(memoryview(body)[at + len(_UNSEALED) :])
        if len(stated) != len(_UNSEALED) or computed.hexdigest().encode() != stated:
            raise BrokenCheckpoint("altered since it was written")
        return {name: value.clone() for name, value in load_tensors(body).items()}, json.loads(metadata["facts"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, SafetensorError) as error:
        raise BrokenCheckpoint(f"not a checkpoint ({str(error)[:100]})") from None


def _seal_at(body: bytes, digest: bytes = _UNSEALED.encode()) -> int:
    """Return the position of the file's own digest in the header."""
    length = int.from_bytes(body[:_FIRST_BYTES], "little")
    return body.index(b'"sha256":"' + digest, 0, _FIRST_BYTES + length) + len(b'"sha256":"')


class Checkpoints:
    """The checkpoints of one run in a folder; with folder None, nothing is written and nothing is read."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.notes: list[str] = []
        """The reasons for which checkpoints were ignored."""

    def write(self, name: str, tensors: Mapping[str, Tensor], facts: Facts) -> None:
        """Write a checkpoint atomically. Writing ``last`` renames the checkpoint before it to ``previous``.

        :raises OSError: it cannot be written
        """
        if self.folder is not None:
            write_whole(self._path(name), seal(tensors, facts), self._path(PREVIOUS) if name == LAST else None)

    def read(self, name: str) -> tuple[dict[str, Tensor], Facts] | None:
        """Return the tensors and facts of a checkpoint, or None if it does not exist or is invalid."""
        if self.folder is None:
            return None
        try:
            return unseal(self._path(name).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, BrokenCheckpoint) as error:
            why = str(getattr(error, "strerror", None) or error)
            self.notes.append(Sentence("note.checkpoint_ignored", path=str(self._path(name)), why=why))
            return None

    def latest(self, unit: str) -> tuple[dict[str, Tensor], Facts] | None:
        """Return the latest valid checkpoint (``last`` or ``previous``) of a unit in training, or None."""
        for name in (LAST, PREVIOUS):
            checkpoint = self.read(name)
            if checkpoint is not None and checkpoint[1].get("unit") == unit:
                return checkpoint
        return None

    def has(self, name: str) -> bool:
        """Whether a checkpoint with this name exists, valid or not."""
        return self.folder is not None and self._path(name).exists()

    def spent(self) -> float:
        """Return the seconds that the run had taken at its latest checkpoint of a model in training; 0 if there is none."""
        seconds = [checkpoint[1].get("spent", 0.0) for name in (LAST, PREVIOUS) if (checkpoint := self.read(name)) is not None]
        self.notes.clear()  # reported again when training resumes from them
        return max(seconds, default=0.0)

    def clear(self) -> None:
        """Delete all checkpoints, when the run has ended: nothing can be resumed, and the bundle contains the model."""
        for path in [] if self.folder is None else self.folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}.safetensors"


class Keeper:
    """Writes checkpoints of a model in training: after a number of steps or minutes, and at once if requested."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        unit: str,
        label: str,
        steps: int | None,
        minutes: float | None,
        observer: Observer,
        spent: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.checkpoints, self.unit, self.label, self.observer, self.spent = checkpoints, unit, label, observer, spent
        self.every_steps, self.every_seconds = steps, None if minutes is None else 60 * minutes
        self._kept = time.monotonic()
        self._cost = 0.0
        self._reported_once = False

    def step(self, step: int, snapshot: Callable[[], tuple[dict[str, Tensor], Facts]], now: bool = False) -> None:
        """Write ``snapshot()`` after a step if a checkpoint is due, or if ``now``.

        A write error is reported once as a warning, and training continues.
        """
        if self.checkpoints.folder is None or not (now or self._due(step)):
            return
        begin = time.monotonic()
        tensors, facts = snapshot()
        try:
            self.checkpoints.write(LAST, tensors, {**facts, "unit": self.unit, "spent": self.spent()})
        except OSError as error:
            if not self._reported_once:
                key = "warning.checkpoint" if self.checkpoints.has(LAST) else "warning.first_checkpoint"
                text = Sentence(key, model=self.label, step=step, why=str(error.strerror or error))
                self.observer.observe(WarningEvent(text))
            self._reported_once = True
        else:
            self._reported_once = False
            self.observer.observe(CheckpointEvent(self.label, step, seconds=round(time.monotonic() - begin, 3)))
        self._kept = time.monotonic()
        self._cost = self._kept - begin

    def _due(self, step: int) -> bool:
        if self.every_steps is not None and step % self.every_steps == 0:
            return True
        since = time.monotonic() - self._kept
        return self.every_seconds is not None and since >= max(self.every_seconds, self._cost / _SHARE)


def generators(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random generators that training uses."""
    states = {"rng.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["rng.cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["rng.mps"] = torch.mps.get_rng_state()
    return states


def set_generators(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore the states of the random generators."""
    torch.set_rng_state(states["rng.cpu"])
    if device.type == "cuda" and "rng.cuda" in states:
        torch.cuda.set_rng_state(states["rng.cuda"], device)
    elif device.type == "mps" and "rng.mps" in states:
        torch.mps.set_rng_state(states["rng.mps"])
