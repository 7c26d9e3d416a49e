"""Picture, note and vital signs: a diagnosis. Made up, read, trained on by patient, measured with each part taken away.

    python examples/medicine/example.py [--patients 250] [--seed 0] [--small] [--keep FOLDER]

``layout.py`` writes studies in MIMIC-CXR's layout; ``run.yaml`` is the configuration, to be adapted to the real one.
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
    """Some studies, and their table beside them."""
    layout.write(folder, patients, seed=seed)
    join = {folder / "patients.csv": ["gender", "anchor_age"], folder / "vitals.csv": ["temperature", "heartrate", "o2sat"]}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        write_csv(mimic_cxr.rows(folder, report=["indication"], join=join), folder / "table.csv")
    for warning in said:
        print("note:", str(warning.message).replace(str(folder), folder.name))
    return folder / "table.csv"


def main() -> None:
    """Make two hospitals' worth of studies, train on one, measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="less of everything, to see that it runs")
    parser.add_argument("--keep", type=Path, help="where to write the studies; default: a temporary folder")
    asked = parser.parse_args()
    patients, settings = asked.patients, list[str]()
    if asked.small:
        patients = 120
        settings = ["training.epochs=12", "fields.picture.size=32", "model.width=32", "model.encoders.picture.kind=convnet",
                    "model.encoders.picture.channels=[16, 32]"]  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        train, test = (make(folder / name, patients, 2 * asked.seed + at) for at, name in enumerate(("here", "there")))
        model = pm.train(HERE / "run.yaml", f"data.table={train}", f"seed={asked.seed}", *settings)
        show(compare(model, test, "labels"))


if __name__ == "__main__":
    main()
