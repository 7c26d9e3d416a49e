"""Accuracies on new rows: of all sensors, of each sensor alone, and of all sensors with one of them missing."""

from __future__ import annotations

from pathlib import Path

import polymodal as pm


def compare(model: pm.Predictor, test: Path, target: str) -> dict[str, float]:
    """Return accuracies on ``test``: ``all`` fields, ``only NAME`` by a model of that field, ``without NAME`` by that of all fields."""
    metrics = model.evaluate(test)
    result = {"all": metrics["tasks"][target]["accuracy"]}
    for name, bundle in model.baselines.items():
        result[f"only {name}"] = pm.Predictor(bundle).evaluate(test)["tasks"][target]["accuracy"]
    for name, by_target in metrics["hidden"].items():
        result[f"without {name}"] = by_target[target]["accuracy"]
    return result


def show(result: dict[str, float]) -> None:
    """Print a line for each accuracy."""
    for name, accuracy in result.items():
        print(f"{name:<20} accuracy {accuracy:.3f}")
