"""The files of a backbone: in a folder or in the Hugging Face cache. They are downloaded only if that is requested, and read as JSON and
safetensors."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import ConfigError, requires
from .backbone import Facts

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "merges.txt", "vocab.*")
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def locate(model: str, revision: str | None, download: bool) -> Path:
    """Return the folder with the files of a model.

    :param model: the path of a folder, or a name on the Hugging Face hub
    :param revision: the revision on the hub; None = the newest, or the one in the cache
    :param download: whether files may be downloaded
    :raises ConfigError: the files are not on this machine; the message states how to download them
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or model.startswith((".", "~")) or not _NAME.fullmatch(model):
        raise ConfigError(
            f"model {model!r}: no such folder; expected a folder with config.json and model.safetensors, or a name on the hub"
        )
    hub: Any = requires("huggingface_hub", "pretrained")
    try:
        return Path(hub.snapshot_download(model, revision=revision, allow_patterns=list(_FILES), local_files_only=not download))
    except Exception as error:  # the library raises its own, the network's and the system's errors
        if isinstance(error, (KeyboardInterrupt, MemoryError)):
            raise
        why = "cannot be downloaded" if download else "not on this machine, and nothing is downloaded unless requested"
        detail = f" ({' '.join(str(error).split())[:120]})" if download else ""
        options = "" if download else "; or allow the download: download=true (as --pretrained does)"
        raise ConfigError(
            f"model {model!r}: {why}{detail}; expected a folder, or a model in the Hugging Face cache; download it on a machine with a "
            f"network: hf download {model} --local-dir FOLDER, and set model=FOLDER{options}"
        ) from None


def weights_of(folder: Path, model: str) -> list[Path]:
    """Return the files of a model's weights. Only safetensors are accepted, because a pickle runs code when it is read.

    :raises ConfigError: there are none
    """
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
    if pickles:
        raise ConfigError(
            f"model {model!r}: its weights are a pickle ({pickles[0]}), which runs code when read; expected model.safetensors; convert it "
            f"if you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(OTHER)"
        )
    raise ConfigError(f"model {model!r}: no model.safetensors in its folder; expected the weights; download it again, whole")


def digest(files: list[Path]) -> str:
    """Return the SHA-256 of the concatenated files."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(2**22):
                total.update(piece)
    return total.hexdigest()


def quiet() -> None:
    """Set environment variables of the libraries: no kernels from the hub, no telemetry, and no warning about parallel tokenizers."""
    os.environ.setdefault("USE_HUB_KERNELS", "NO")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def library() -> Any:
    """Import transformers without its messages."""
    quiet()
    transformers: Any = requires("transformers", "pretrained")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def read_json(path: Path, model: str) -> dict[str, Any]:
    """Read a JSON file of a model. Raise ``ConfigError`` if it cannot be read, or is not a mapping."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise ConfigError(
            f"model {model!r}: no {path.name} that can be read; expected the folder of a model; download all of its files again"
        ) from None
    if not isinstance(data, dict):
        raise ConfigError(f"model {model!r}: its {path.name} is not a mapping; expected the folder of a model")
    return data


class Loaded(NamedTuple):
    """A whole model, the names of the weights that its files lack, and those of the weights in its files that it does not have."""

    whole: Any
    missing: list[str]
    others: list[str]


def check_complete(facts: Facts, lacking: Sequence[str], others: Sequence[str]) -> None:
    """Check that no weight is lacking.

    :param lacking: the names of the weights that are needed and are not in the files of the model
    :param others: the names of the weights in its files that it does not have
    :raises ConfigError: one is lacking
    """
    if not lacking:
        return
    instead = f"; the files contain {len(others)} others, such as {_some(others)}" if others else ""
    raise ConfigError(
        f"model {facts['model']!r}: {len(lacking)} of its weights are not in its files, such as {_some(lacking)}{instead}; expected all of "
        f"them by the names of transformers; download all of its files again"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:100]) for name in sorted(names)[:2])


def loaded(facts: Facts, download: bool) -> Loaded:
    """Load the whole model of which facts describe a part.

    :param download: whether files may be downloaded
    :raises ConfigError: the weights cannot be found, or are no longer those that the facts describe
    """
    transformers = library()
    model = facts["model"]
    folder = locate(model, facts["revision"], download)
    if digest(weights_of(folder, model)) != facts["sha256"]:
        raise ConfigError(f"model {model!r}: its weights have changed since the training began; restore them, or train again")
    try:
        whole, loading_info = transformers.AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises errors of many types
        raise ConfigError(
            f"model {model!r}: cannot be loaded ({' '.join(str(error).split())[:200]}); download all of its files again"
        ) from None
    return Loaded(whole, list(loading_info["missing_keys"]), list(loading_info["unexpected_keys"]))
