"""Digests of the data and versions of the code that the results of a run or a comparison depend on."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy
import PIL
import pyarrow
import tokenizers
import torch

from .. import __version__
from ..config import External
from ..data.sources import Source
from ..experiment import Experiment


def digest_of(experiment: Experiment, source: Source) -> str:
    """Return a digest of everything that a run reads of a table, as it is written there."""
    data = experiment.data
    named = [*experiment.columns(), *(task.column for task in experiment.tasks.values()), *data.split.columns, data.weight]
    return source.digest([column for column in dict.fromkeys(named) if column is not None and column in source.columns])


def code_of(experiment: Experiment) -> dict[str, str]:
    """Return the versions of all code that a result depends on, by name: of this package, of libraries, and of external components, whose
    files are digested."""
    parts = [*experiment.model.encoders.values(), experiment.model.fusion]
    external = {part.kind: _module(part) for part in parts if isinstance(part, External)}
    for part in parts:
        external |= {name: _version(name) for name in (() if isinstance(part, External) else part.libraries)}
    if experiment.model.trees is not None:
        external["lightgbm"] = _version("lightgbm")
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
    """Return the version of an installed library, or "none"."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"


def _source() -> str:
    """Return a digest of the source of this package: a version in development changes without its number."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _module(part: External) -> str:
    """Return a digest of the file that contains ``module:Class``."""
    file = getattr(sys.modules.get(part.load().__module__), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12] if file and os.path.isfile(file) else "built in"
