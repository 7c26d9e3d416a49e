"""The device and the numeric precision of training."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from ..errors import ConfigError, nearest
from ..language import Sentence

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
        usable = ["auto", *(kind for kind, is_there in available.items() if is_there)]
        near = nearest(str(name), usable) if name not in available else ""
        raise ConfigError(
            f"{setting}: {name} is not {'available' if name in available else 'a device'}; expected one of {', '.join(usable)}{near}"
        )
    return torch.device(name)


def has_native_bfloat16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16 itself, rather than by an emulation, which is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found: Mapping[str, object] = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(bool(found.get(name)) for name in ("avx512_bf16", "amx_bf16"))


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of a name; ``auto`` is bfloat16 if the device is a GPU that supports it natively, else float32.

    The choice does not depend on timings, since these would let the load of a machine change results. On a CPU it is always float32: few
    CPUs compute in bfloat16 natively, and a model trained from scratch may learn worse in it.
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    return torch.bfloat16 if device.type == "cuda" and has_native_bfloat16(device) else torch.float32


def why_precision(name: str, device: torch.device, has_pictures: bool) -> str:
    """Return the reason for a precision as part of a sentence.

    :param has_pictures: whether networks read pictures, which train faster in bfloat16 on a CPU too
    """
    if name != "auto":
        return Sentence("precision.requested")
    if device.type == "cuda":
        return Sentence("precision.gpu" if has_native_bfloat16(device) else "precision.gpu_without")
    if device.type == "cpu":
        if not has_pictures:
            return Sentence("precision.cpu_plain")
        return Sentence("precision.cpu" if has_native_bfloat16(device) else "precision.cpu_without")
    return Sentence("precision.other")


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context manager for forward passes in a precision."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the device or the machine is out of memory."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)
