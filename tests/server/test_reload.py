"""A bundle that is replaced under load: every request is answered, by one model, with the bits of that model."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np

import polymodal as pm
from builders.servers import serving
from builders.tables import FAST

ROWS = [{"price": 3.0 + at / 2, "region": ("north", "south")[at % 2]} for at in range(40)]
CLASSES = ("blue", "green", "red")


def test_reloading_under_load_loses_no_request_and_mixes_no_models(shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    other = pm.train(shop_folder / "shop.csv", *FAST, "training.epochs=1", target="label")
    other.save(tmp_path / "1")
    shutil.copytree(shop_run / "bundle", tmp_path / "0")
    shutil.copytree(tmp_path / "0", tmp_path / "m")
    cells = [{"photo": None, "标题": None, **row} for row in ROWS]
    expected = [np.asarray(pm.load(tmp_path / name).predict_proba(cells)).tolist() for name in "01"]
    assert expected[0] != expected[1]
    inputs = [
        {"name": "price", "shape": [40], "datatype": "FP64", "data": [row["price"] for row in ROWS]},
        {"name": "region", "shape": [40], "datatype": "BYTES", "data": [row["region"] for row in ROWS]},
    ]
    found: list[tuple[str, Any]] = []
    ended = threading.Event()

    def ask(path: str) -> None:
        while not ended.is_set():
            status, body = server.post(path, {"inputs": inputs} if "infer" in path else ROWS)
            assert status == 200
            if "infer" in path:
                by_name = {one["name"]: one["data"] for one in body["outputs"]}
                scores = np.array([by_name[f"label:{name}"] for name in CLASSES]).T.tolist()
                found.append((body["model_version"], scores))
            else:
                found.append((body["version"], [[answer[f"label:{name}"] for name in CLASSES] for answer in body["predictions"]]))

    with serving({"m": tmp_path / "m"}) as server:
        model = server.models.of("m")
        versions = [model.loaded.version]
        threads = [threading.Thread(target=ask, args=(path,)) for path in ["/predict", "/v2/models/m/infer"] * 3]
        for thread in threads:
            thread.start()
        for name in "1010":
            count = len(found)
            while len(found) < count + 6:
                ended.wait(0.01)
            shutil.rmtree(tmp_path / "m")
            shutil.copytree(tmp_path / name, tmp_path / "m")
            assert model.reload()
            versions.append(model.loaded.version)
        ended.set()
        for thread in threads:
            thread.join(60)
    assert versions[0] == versions[2] == versions[4] != versions[1] == versions[3]
    answers = dict(zip(versions[:2], expected, strict=True))
    assert {version for version, _ in found} == set(answers)
    assert all(scores == answers[version] for version, scores in found)
