"""Camera and radar: predicts the nearest road user and whether it approaches. The example generates a drive, reads it, trains a model, and
measures it with each sensor missing.

    python examples/driving/example.py [--scenes 150] [--seed 0] [--small] [--keep FOLDER]

``layout.py`` writes a drive in the layout of nuScenes; ``run.yaml`` is the configuration, which can be adapted to the real data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import layout  # noqa: E402
from compare import compare, show  # noqa: E402

import polymodal as pm  # noqa: E402
from polymodal.layouts import nuscenes  # noqa: E402
from polymodal.layouts.folders import write_csv  # noqa: E402


def make(folder: Path, scenes: int, seed: int) -> Path:
    """Write a drive and its table, and return the path of the table."""
    layout.write(folder, scenes, seed=seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_csv(nuscenes.rows(folder, targets=["nearest_moves"], angle=35), folder / "table.csv")
    for warning in caught:
        print("note:", str(warning.message).replace(str(folder), folder.name))
    return folder / "table.csv"


def main() -> None:
    """Make two drives, train on one of them, and measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a smaller example, to check that it runs")
    parser.add_argument("--keep", type=Path, help="where to write the drives; default: a temporary folder")
    arguments = parser.parse_args()
    scenes, settings = arguments.scenes, list[str]()
    if arguments.small:
        scenes, settings = 70, ["training.epochs=14"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        train, test = (
            make(folder / name, count, 2 * arguments.seed + at) for at, (name, count) in enumerate({"drive": scenes, "new": scenes}.items())
        )
        model = pm.train(HERE / "run.yaml", f"data.table={train}", f"seed={arguments.seed}", *settings)
        show(compare(model, test, "nearest_moves"))


if __name__ == "__main__":
    main()
