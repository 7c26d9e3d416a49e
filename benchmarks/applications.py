"""The two applications over some seeds: the gain from fusion, and the loss when a sensor is missing.

    python benchmarks/applications.py [--seeds 3] [--only driving] [--also training.modality_dropout=0.05 ...]

Each seed makes its own layouts, and trains with the settings of ``examples/APPLICATION/run.yaml``; ``--also`` trains again with other
settings. Accuracies are of new scenes and of new patients; means over the seeds, in per cent. Two claims are checked:

- ``gain``: the model of all fields is better than the best model of a single field by 10 points or more;
- ``loss``: with one field missing at prediction, it is at most 3 points worse than the best model of one of the other fields.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import polymodal as pm

EXAMPLES = Path(__file__).parent.parent / "examples"
APPLICATIONS = {"driving": ("nearest_moves", 80, ("camera", "radar")), "medicine": ("labels", 250, ("picture", "note"))}
"""Target; scenes or patients; the two fields that the target is split between."""


def load(application: str) -> Any:
    """Import the module of an example, which imports the ``layout`` beside it."""
    sys.modules.pop("layout", None)
    spec = importlib.util.spec_from_file_location(f"{application}_example", EXAMPLES / application / "example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(application: str, seed: int, also: list[str]) -> dict[str, dict[str, float]]:
    """Return accuracies by settings: those of the example, and those with each of ``also``."""
    target, size, _ = APPLICATIONS[application]
    example = load(application)
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        with contextlib.redirect_stdout(io.StringIO()):
            train, test = (example.make(Path(name) / part, size, 2 * seed + at) for at, part in enumerate(("train", "test")))
        for setting in ("", *also):
            more = [*setting.split(), "training.baselines=false"] if setting else []
            model = pm.train(EXAMPLES / application / "run.yaml", f"data.table={train}", f"seed={seed}", *more)
            alone = {key: value for key, value in results.get("", {}).items() if key.startswith("only")}
            results[setting] = alone | example.compare(model, test, target)
            print(f"{application}, seed {seed}, {setting or 'run.yaml'}: {results[setting]}", file=sys.stderr, flush=True)
    return results


def claims(result: dict[str, float], sensors: tuple[str, ...]) -> tuple[float, float]:
    """Return ``gain`` and the largest ``loss``, in points."""
    alone = {name.removeprefix("only "): value for name, value in result.items() if name.startswith("only ")}
    losses = [max(value for name, value in alone.items() if name != sensor) - result[f"without {sensor}"] for sensor in sensors]
    return 100 * (result["all"] - max(alone.values())), 100 * max(losses)


def main() -> None:
    """Measure, and print a line for each seed and setting, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=APPLICATIONS)
    parser.add_argument(
        "--also", action="append", default=[], help="settings, such as 'training.modality_dropout=0.05 model.missing=token'"
    )
    arguments = parser.parse_args()
    for application in [arguments.only] if arguments.only else APPLICATIONS:
        sensors = APPLICATIONS[application][2]
        measured = [measure(application, seed, arguments.also) for seed in range(arguments.seeds)]
        for setting in ("", *arguments.also):
            results = [one[setting] for one in measured]
            print(f"{application}, {setting or 'the settings of run.yaml'}", flush=True)
            for name in results[0]:
                values = [100 * result[name] for result in results]
                print(f"  {name:<20}{np.mean(values):>7.1f}   ({', '.join(f'{value:.1f}' for value in values)})")
            mean = {name: float(np.mean([result[name] for result in results])) for name in results[0]}
            gain, loss = claims(mean, sensors)
            verdicts = {True: "as claimed", False: "NOT as claimed"}
            print(f"  gain {gain:.1f} points ({verdicts[gain >= 10]}), loss {loss:.1f} points ({verdicts[loss <= 3]})", flush=True)


if __name__ == "__main__":
    main()
