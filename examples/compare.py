"""What fusing is worth on new rows: all sensors, each one's own model, and the whole with one sensor taken away."""

from __future__ import annotations

from pathlib import Path

import polymodal as pm


def compare(model: pm.Predictor, test: Path, target: str) -> dict[str, float]:
    """Accuracies on ``test``: ``all``, ``only NAME`` by a model of that field alone, ``without NAME`` by the whole one."""
    found = model.evaluate(test)
    result = {"all": found["tasks"][target]["accuracy"]}
    for name, bundle in model.baselines.items():
        result[f"only {name}"] = pm.Predictor(bundle).evaluate(test)["tasks"][target]["accuracy"]
    for name, by_target in found["hidden"].items():
        result[f"without {name}"] = by_target[target]["accuracy"]
    return result


def show(result: dict[str, float]) -> None:
    """A line each."""
    for name, accuracy in result.items():
        print(f"{name:<20} accuracy {accuracy:.3f}")
