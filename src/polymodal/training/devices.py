"""The device and the numeric precision of training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from ..errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
"""The name of a device; auto = the first of CUDA, MPS and CPU that is available."""


def pick_device(name: str, setting: str = "training.device") -> torch.device:
    """Return the device of a name (``DeviceName``).

    :param setting: the name of the setting, for messages
    :raises ConfigError: the device is not known, or not available
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(name):
        usable = ", ".join(["auto", *(kind for kind, is_there in available.items() if is_there)])
        raise ConfigError(f"{setting}: {name} is not {'available' if name in available else 'a device'}; expected one of {usable}")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of a name; ``auto`` is bfloat16 if the device supports it natively, else float32; on a CPU it is always float32.

    The choice does not depend on timings, since these would let the load of a machine change results. On CPUs bfloat16 is often emulated;
    where it is not, a model trained from scratch learns worse in it.
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def why_precision(name: str, device: torch.device) -> str:
    """Return the reason for a precision as part of a sentence."""
    if name != "auto":
        return "requested (training.precision)"
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return f"this GPU {'supports' if native else 'does not support'} bfloat16 natively"
    return "on a CPU bfloat16 is often emulated, and then slow" if device.type == "cpu" else "the default on every device except CUDA"


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context manager for forward passes in a precision."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the device or the machine is out of memory."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)
