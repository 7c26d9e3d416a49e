"""The files of a backbone: in a folder or in the Hugging Face cache. They are downloaded only if that is requested."""

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
