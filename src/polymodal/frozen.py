"""The features of frozen backbones: computed once for each cell, in blocks of fixed shape, and cached on disk between runs.

This step lies between sample and batch: sample -> features of the frozen backbone -> batch. A model is trained and predicts on these
features as if they were the samples. They are identical to the last bit whether cached or computed, in training or in prediction: a block
has ``inference.BLOCK`` cells of one geometry, and the key of the cache contains everything that the bits depend on.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b, sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors
from torch import Tensor

from .backbones import Backbone
from .data.store import Store, pack
from .errors import ConfigError
from .flow import Cell, Form, Geometry, Sample, State
from .inference import BLOCK, WINDOW, Window, block_of, device_of, grouped
from .language import Sentence
from .modalities import Modality, Recognition, Roots
from .modalities.modality import Drift, Parts
from .modalities.sequences import bucket
from .modalities.signal_corruption import Corruption
from .storage import write_whole

_KEPT_EACH = 2_048
"""The number of computed cells after which features are written to disk, so that an interrupted run continues from there."""
_MOST_BYTES = 64 * 2**20
"""The number of bytes after which features are written to disk, since a cell may have many tokens."""
_REPORT_AFTER = 5.0
"""The number of seconds between progress messages."""


class Featured(Modality):
    """A modality behind a frozen backbone. It reads cells like the wrapped modality; its batches contain the backbone's features.

    :param inner: the wrapped modality
    :param width: the width D of the features
    """

    kind = "features"
    forms = ("features",)
    pads_with_zeros = True

    def __init__(self, inner: Modality, width: int) -> None:
        super().__init__(inner.config, inner.state, inner.roots)
        self.inner, self.width = inner, width

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Return a score of 0: this modality only wraps another one."""
        return Recognition(0.0)

    @classmethod
    def fit(cls, config: Any, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Raise ``ConfigError``: the wrapped modality is fitted instead."""
        raise ConfigError("features are made by a frozen backbone; expected another kind of field")

    def check(self) -> None:
        """Check the state of the wrapped modality."""
        self.inner.check()

    def is_missing(self, cell: Cell) -> bool:
        """Return whether the wrapped modality treats the cell as missing."""
        return self.inner.is_missing(cell)

    def read(self, cell: Cell) -> Sample:
        """Read the sample that is the input of the backbone."""
        return self.inner.read(cell)

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of the wrapped modality."""
        return self.inner.corruptions()

    def parsed(self, cell: Cell) -> Any:
        """Return the result of the wrapped modality's ``parsed``."""
        return self.inner.parsed(cell)

    def sample_of(self, content: Any) -> Sample:
        """Return the sample that is the input of the backbone."""
        return self.inner.sample_of(content)

    def parts(self, cell: Cell, sample: Sample) -> Parts | None:
        """Return the parts that the wrapped modality finds. ``sample`` is an input of the backbone."""
        return self.inner.parts(cell, sample)

    def drift(self) -> Drift | None:
        """Return the drift measure of the wrapped modality."""
        return self.inner.drift()

    def blank(self) -> Sample:
        """Return ``features`` float32 (1, D) of zeros."""
        return {"features": np.zeros((1, self.width), np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """Return the number of tokens, rounded up to the next power of two."""
        return (bucket(len(sample["features"]), 1, 2**15),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``features`` float32 (U, L, D) and their mask ``real`` (U, L)."""
        (length,) = geometry
        features_ULD = np.zeros((len(samples), length, self.width), np.float32)
        real_UL = np.zeros((len(samples), length), bool)
        for at, sample in enumerate(samples):
            part_LD = sample["features"][:length]
            features_ULD[at, : len(part_LD)], real_UL[at, : len(part_LD)] = part_LD, True
        return {"features": torch.from_numpy(features_ULD), "real": torch.from_numpy(real_UL)}

    def cost_of_training(self) -> float:
        """Return the cost of a cell, ``cost()``; the computation of features, which are cached, is not included."""
        return self.cost()

    def show(self, cell: Cell) -> str:
        """Return the wrapped modality's text for the cell."""
        return self.inner.show(cell)

    def describe(self) -> str:
        """Return the wrapped modality's description."""
        return self.inner.describe()


def featured(modalities: Mapping[str, Modality], backbones: Mapping[str, Backbone]) -> dict[str, Modality]:
    """Wrap each modality that has a frozen backbone in ``Featured``. The others are returned unchanged."""
    return {name: Featured(modality, backbones[name].width) if name in backbones else modality for name, modality in modalities.items()}


@torch.inference_mode()
def features_of(backbone: Backbone, modality: Modality, samples: Sequence[Sample], exact: bool = True) -> list[Sample]:
    """Compute the backbone's features of each sample: ``features`` float32 (L, D), real tokens only.

    NaN and infinite values become 0. If a sample has no real token, its first token is returned, so L >= 1.

    :param exact: whether short blocks are padded (see ``inference.answers``)
    """
    backbone.eval()
    device = device_of(backbone)
    features: list[Sample] = [{}] * len(samples)
    for members in grouped(modality, samples):
        for part, field in block_of(modality, samples, members, exact):
            output = backbone(field.to(device).values)
            tokens_BLD = torch.nan_to_num(output.tokens_BLD.float(), 0.0, 0.0, 0.0).cpu()
            mask_BL = output.mask_BL.cpu()
            for at, row in enumerate(part):
                features[row] = {"features": tokens_BLD[at, mask_BL[at]].numpy() if mask_BL[at].any() else tokens_BLD[at, :1].numpy()}
    return features


def through(window: Window, modalities: Mapping[str, Modality], backbones: Mapping[str, Backbone], exact: bool = True) -> Window:
    """Replace the samples of fields with a frozen backbone by its features. The samples of other fields are unchanged.

    :param exact: whether short blocks are padded (see ``inference.answers``)
    """
    if not backbones:
        return window
    samples = dict(window.samples)
    for name, backbone in backbones.items():
        modality = modalities[name]
        assert isinstance(modality, Featured)
        samples[name] = features_of(backbone, modality.inner, window.samples[name], exact)
    return replace(window, samples=samples)


def seconds_of(backbone: Backbone, modality: Modality, samples: Sequence[Sample], device: torch.device) -> float:
    """Estimate the seconds that a backbone takes for one cell, from a run over ``samples``; 0 if there are none."""
    if not samples:
        return 0.0
    before = device_of(backbone)
    backbone.to(device)
    try:
        blocks = sum(1 for members in grouped(modality, samples) for _ in block_of(modality, samples, members))
        begin = time.monotonic()
        features_of(backbone, modality, samples)
        return (time.monotonic() - begin) / (blocks * BLOCK)
    finally:
        backbone.to(before)


def fill(
    store: Store, name: str, modality: Modality, backbone: Backbone, cache: FeatureCache, device: torch.device, note: Callable[[str], None]
) -> None:
    """Replace a field's samples in the store by the features of a backbone.

    :param name: the name of the field
    :param modality: the modality of the field, not wrapped
    :param cache: the cache from which known features are read and to which new ones are written
    :param note: the function that receives progress messages
    """
    begin = reported_at = time.monotonic()
    done = computed = 0
    total = store.count(name)
    before = device_of(backbone)
    backbone.to(device)

    def make(samples: Sequence[Sample]) -> list[Sample]:
        nonlocal done, computed, reported_at
        keys = [blake2b(pack(sample), digest_size=16).digest() for sample in samples]
        known = [cache.get(key) for key in keys]
        lacking = [at for at, features in enumerate(known) if features is None]
        fresh = features_of(backbone, modality, [samples[at] for at in lacking])
        for at, sample in zip(lacking, fresh, strict=True):
            cache.put(keys[at], sample["features"])
            known[at] = sample["features"]
        done, computed = done + len(samples), computed + len(lacking)
        if time.monotonic() - reported_at > _REPORT_AFTER and done < total:
            reported_at = time.monotonic()
            left = (reported_at - begin) / done * (total - done)
            note(Sentence("note.frozen_part", field=name, done=done, total=total, left=left))
        return [{"features": features} for features in known if features is not None]

    try:
        store.replace(name, Featured(modality, backbone.width), make, WINDOW)
    finally:
        cache.flush()
        backbone.to(before)
    known = Sentence("note.frozen_known", known=total - computed) if computed < total else ""
    note(Sentence("note.frozen", field=name, total=total, known=known, seconds=time.monotonic() - begin))


# -- the cache between runs ----------------------------------------------------------------------------------------------------------


def digest_of(backbone: Backbone) -> str:
    """Return the SHA-256 of a backbone's weights."""
    total = sha256()
    for name, value in sorted(backbone.state_dict().items()):
        total.update(name.encode())
        total.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.dim() else str(value.item()).encode())
    return total.hexdigest()


class FeatureCache:
    """The cached features of one backbone on one kind of machine, by the digest of the sample that they were computed from.

    The cache is a folder of safetensors files below the user's cache folder; it is created when there is something to write. Files are
    written atomically. Features that cannot be read or written are computed again, with identical bits. Only the positions of the features
    and the features that are not written yet are in memory.

    :param state: the state of the field, which contains the facts of the backbone
    :param at_most_gb: the largest size of all cached features, in GiB; 0 = no cache
    """

    def __init__(self, backbone: Backbone, state: State, device: torch.device, at_most_gb: float) -> None:
        self.width, self.at_most = backbone.width, int(at_most_gb * 2**30)
        facts = {name: value for name, value in state["backbone"].items() if name not in ("model", "revision", "sha256")}
        parts = [json.dumps(facts, sort_keys=True), digest_of(backbone), torch.__version__, _version(facts["library"]),
                 platform.machine(), _processor(), torch.backends.cpu.get_cpu_capability(),
                 str(torch.get_num_threads()), device.type]  # fmt: skip
        self.folder = _cache_folder() / blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
        self._known: dict[bytes, tuple[Path, int, int]] = {}
        self._fresh: dict[bytes, np.ndarray] = {}
        self._fresh_bytes = 0
        if self.at_most:
            for path in sorted(self.folder.glob("*.safetensors")):
                self._known |= _read(path, self.width)

    def get(self, key: bytes) -> np.ndarray | None:
        """Return the cached features (L, D), or None if there are none."""
        if key in self._fresh:
            return self._fresh[key]
        if key not in self._known:
            return None
        path, start, length = self._known[key]
        with contextlib.suppress(OSError):  # another process may have deleted the file
            values = np.fromfile(path, np.float32, length * self.width, offset=start)
            return values.reshape(length, self.width) if len(values) == length * self.width else None
        return None

    def put(self, key: bytes, features_LD: np.ndarray) -> None:
        """Add features to the cache. They are written to disk when enough of them are in memory."""
        if self.at_most:
            self._fresh[key] = features_LD
            self._fresh_bytes += features_LD.nbytes
            if len(self._fresh) >= _KEPT_EACH or self._fresh_bytes >= _MOST_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write new features to disk. The oldest files are deleted if the cache would exceed its limit."""
        if not self._fresh:
            return
        keys = np.frombuffer(b"".join(self._fresh), np.uint8).reshape(-1, 16).copy()
        body = save_tensors({
            "keys": torch.from_numpy(keys),
            "lengths": torch.tensor([len(features) for features in self._fresh.values()]),
            "features": torch.from_numpy(np.concatenate(list(self._fresh.values()))),
        })  # fmt: skip
        self._fresh, self._fresh_bytes = {}, 0
        if len(body) > self.at_most:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_room(self.folder.parent, self.at_most - len(body))
            path = self.folder / f"{blake2b(keys.tobytes(), digest_size=12).hexdigest()}.safetensors"
            write_whole(path, body)
            self._known |= _read(path, self.width)


def _cache_folder() -> Path:
    """Return the folder of all cached features, below the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "polymodal" / "features"


def _processor() -> str:
    """Return the name of the processor's model."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()


def _version(library: str) -> str:
    """Return the name of a library, with its version if it is installed."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return f"{library} {metadata.version(library)}"
    return library


def _read(path: Path, width: int) -> dict[bytes, tuple[Path, int, int]]:
    """Return the position and the number of tokens of each entry of a cache file; nothing if ``flush`` did not write the file."""
    try:
        tensors = load_file(path)
        keys, lengths, features = tensors["keys"].numpy(), tensors["lengths"].numpy(), tensors["features"].numpy()
        ends = np.cumsum(lengths)
        if keys.dtype != np.uint8 or keys.shape != (len(lengths), 16) or (lengths < 1).any() or features.dtype != np.float32:
            return {}
        if features.shape != (int(ends[-1]), width) or not np.isfinite(features).all():
            return {}
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            start = 8 + size + json.loads(file.read(size))["features"]["data_offsets"][0]
        starts = start + 4 * width * (ends - lengths)
        return {key.tobytes(): (path, int(at), int(length)) for key, at, length in zip(keys, starts, lengths, strict=True)}
    except (OSError, KeyError, IndexError, TypeError, ValueError, SafetensorError):
        return {}


def _make_room(folder: Path, at_most: int) -> None:
    """Delete the oldest files until the total size is at most ``at_most`` bytes."""
    files = []
    for path in folder.glob("*/*.safetensors"):
        with contextlib.suppress(OSError):  # deleted in the meantime, or a broken link
            facts = path.stat()
            files.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= at_most:
            break
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            total -= size
