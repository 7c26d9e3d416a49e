"""Weights of an earlier run as a start: of encoders by field, of votes by field and task, of the fusion and heads by name and shape."""

from __future__ import annotations

from ..model import MultiModalModel


def start_from(donor: MultiModalModel, model: MultiModalModel) -> int:
    """Take over every tensor whose name and shape agree; how many those were."""
    renamed = _by_name(donor)
    given, own = {renamed[key]: value for key, value in donor.state_dict().items()}, _by_name(model)
    state = model.state_dict()
    taken = {key: given[own[key]] for key in state if own[key] in given and given[own[key]].shape == state[key].shape}
    model.load_state_dict({**state, **taken})
    return len(taken)


def _by_name(model: MultiModalModel) -> dict[str, str]:
    """Each key of the state under a name that says its field and task, not their positions."""
    renamed = {}
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
        renamed[key] = ".".join(parts)
    return renamed
