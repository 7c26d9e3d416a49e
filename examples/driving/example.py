"""Camera and radar: what stands out ahead, and does it come nearer? Made up, read, trained on, measured with each sensor taken away.

    python examples/driving/example.py [--scenes 150] [--seed 0] [--small] [--keep FOLDER]

``layout.py`` writes a drive in nuScenes' layout; ``run.yaml`` is the configuration, to be adapted to the real one.
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
    """A drive, and its table beside it."""
    layout.write(folder, scenes, seed=seed)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        write_csv(nuscenes.rows(folder, targets=["nearest_moves"], angle=35), folder / "table.csv")
    for warning in said:
        print("note:", str(warning.message).replace(str(folder), folder.name))
    return folder / "table.csv"


def main() -> None:
    """Make two drives, train on one, measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="less of everything, to see that it runs")
    parser.add_argument("--keep", type=Path, help="where to write the drives; default: a temporary folder")
    asked = parser.parse_args()
    scenes, settings = asked.scenes, list[str]()
    if asked.small:
        scenes, settings = 70, ["training.epochs=14"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        train, test = (
            make(folder / name, count, 2 * asked.seed + at) for at, (name, count) in enumerate({"drive": scenes, "new": scenes}.items())
        )
        model = pm.train(HERE / "run.yaml", f"data.table={train}", f"seed={asked.seed}", *settings)
        show(compare(model, test, "nearest_moves"))


if __name__ == "__main__":
    main()
