"""Picture, note and vital signs: predicts a diagnosis. The example generates studies, reads them, trains a model with a split by patient,
and measures it with each field missing.

    python examples/medicine/example.py [--patients 250] [--seed 0] [--small] [--keep FOLDER]

``layout.py`` writes studies in the layout of MIMIC-CXR; ``run.yaml`` is the configuration, which can be adapted to the real data.
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
from polymodal.layouts import mimic_cxr  # noqa: E402
from polymodal.layouts.folders import write_csv  # noqa: E402


def make(folder: Path, patients: int, seed: int) -> Path:
    """Write studies and their table, and return the path of the table."""
    layout.write(folder, patients, seed=seed)
    join = {folder / "patients.csv": ["gender", "anchor_age"], folder / "vitals.csv": ["temperature", "heartrate", "o2sat"]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_csv(mimic_cxr.rows(folder, report=["indication"], join=join), folder / "table.csv")
    for warning in caught:
        print("note:", str(warning.message).replace(str(folder), folder.name))
    return folder / "table.csv"


def main() -> None:
    """Make the studies of two hospitals, train on one of them, and measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a smaller example, to check that it runs")
    parser.add_argument("--keep", type=Path, help="where to write the studies; default: a temporary folder")
    arguments = parser.parse_args()
    patients, settings = arguments.patients, list[str]()
    if arguments.small:
        patients = 120
        settings = ["training.epochs=12", "fields.picture.size=32", "model.width=32", "model.encoders.picture.kind=convnet",
                    "model.encoders.picture.channels=[16, 32]"]  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        train, test = (make(folder / name, patients, 2 * arguments.seed + at) for at, name in enumerate(("here", "there")))
        model = pm.train(HERE / "run.yaml", f"data.table={train}", f"seed={arguments.seed}", *settings)
        show(compare(model, test, "labels"))


if __name__ == "__main__":
    main()
