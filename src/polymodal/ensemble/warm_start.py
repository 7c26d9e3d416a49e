"""Warm start: initial weights from the model of an earlier run.

Encoders are matched by field, heads by task, heads of votes by task and field, and everything else by name. A tensor is copied only if
the shapes agree. An encoder selects what it takes over from another one (``Encoder.start_from``): n-grams are matched by
their buckets.
"""

from __future__ import annotations

from torch import Tensor

from ..encoders import Encoder
from ..model import MultiModalModel


def start_from(donor: MultiModalModel, model: MultiModalModel) -> int:
    """Copy every tensor of ``donor`` into ``model`` whose name and shape agree, and return the number of tensors copied."""
    donor_names = _by_name(donor)
    donor_tensors = {donor_names[key]: value for key, value in donor.state_dict().items()}
    names, state = _by_name(model), model.state_dict()
    donors = dict(zip(donor.names, donor.encoders, strict=True))
    chosen: dict[str, Tensor] = {}
    choosing: list[str] = []
    for at, (name, encoder) in enumerate(zip(model.names, model.encoders, strict=True)):
        if isinstance(encoder, Encoder) and isinstance(other := donors.get(name), Encoder):
            choosing.append(f"encoders.{at}.")
            chosen |= {f"encoders.{at}.{key}": value for key, value in encoder.start_from(other).items()}
    copied = chosen | {
        key: donor_tensors[names[key]]
        for key in state
        if not key.startswith(tuple(choosing)) and names[key] in donor_tensors and donor_tensors[names[key]].shape == state[key].shape
    }
    model.load_state_dict({**state, **copied})
    return len(copied)


def _by_name(model: MultiModalModel) -> dict[str, str]:
    """Return by key of the state a name that contains the field and the task instead of their positions."""
    names = {}
    for key in model.state_dict():
        parts = key.split(".")
        if parts[0] == "encoders":
            parts[1] = f"[{model.names[int(parts[1])]}]"
        elif parts[0] == "heads":
            parts[1] = f"[{model.tasks[int(parts[1])]}]"
        elif parts[0] == "vote_heads":
            parts[1], parts[2] = f"[{model.tasks[int(parts[1])]}]", f"[{model.names[int(parts[2])]}]"
        elif parts[0] in ("fusion", "vote_weights_TV", "missing_FD"):
            parts.append(f"{model.names}")
        names[key] = ".".join(parts)
    return names
