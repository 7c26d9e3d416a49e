"""Which device, and which arithmetic on it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from ..errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes the first of CUDA, MPS and CPU that is there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there[name]:
        raise ConfigError(f"training.device: {name} is not there; expected one of {', '.join(k for k, v in there.items() if v)}")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype of that name; ``auto`` takes bfloat16 where the device computes in it natively, and float32 on a CPU.

    Asked of the device, never of the clock: a timing would let a busy machine change a run's bits. On CPUs bfloat16 is
    often emulated, and where it is not, a from-scratch model of this size learns worse in it.
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def why_precision(name: str, device: torch.device) -> str:
    """In half a sentence."""
    if name != "auto":
        return "asked for (training.precision)"
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return f"this GPU computes {'in bfloat16 natively' if native else 'no bfloat16 natively'}"
    return "on a CPU bfloat16 is often emulated, and then slow" if device.type == "cpu" else "as on every device but CUDA"


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """The context in which a forward pass is computed."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)
