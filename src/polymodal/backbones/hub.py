"""Where a backbone's files are: a folder, or the Hugging Face cache; from the network only when that was asked for."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from ..errors import ConfigError, requires

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "merges.txt", "vocab.*")
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def locate(model: str, revision: str | None, download: bool) -> Path:
    """The folder of a model's files; ``ConfigError`` says how to fetch one that is not here."""
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
        why = "cannot be fetched" if download else "not on this machine, and nothing is fetched unasked"
        said = f" ({' '.join(str(error).split())[:120]})" if download else ""
        options = "" if download else "; or let it be fetched: download=true (--pretrained does)"
        raise ConfigError(
            f"model {model!r}: {why}{said}; expected a folder, or a model in the Hugging Face cache; fetch it where there is a network: "
            f"hf download {model} --local-dir FOLDER, and say model=FOLDER{options}"
        ) from None


def weights_of(folder: Path, model: str) -> list[Path]:
    """A model's files of weights, safetensors only: a pickle runs code when it is read."""
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
    if pickles:
        raise ConfigError(
            f"model {model!r}: its weights are a pickle ({pickles[0]}), which runs code when read; expected model.safetensors; convert it "
            f"where you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(OTHER)"
        )
    raise ConfigError(f"model {model!r}: no model.safetensors in its folder; expected the weights; download it again, whole")


def digest(files: list[Path]) -> str:
    """The SHA-256 of some files, one after the other."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(2**22):
                total.update(piece)
    return total.hexdigest()


def quiet() -> None:
    """Say nothing beside our own lines: no progress bars, no advice, no report to anyone. Take no kernels from the hub."""
    os.environ.setdefault("USE_HUB_KERNELS", "NO")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
