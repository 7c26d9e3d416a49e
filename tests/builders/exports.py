"""The answers of an exported model in a process without torch and polymodal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_BLOCKED = ("torch", "polymodal", "pyarrow", "pydantic", "scipy", "lightgbm", "soundfile")
_ALONE = """
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[2])
from runtime import Model
model, answers = Model(sys.argv[2]), []
for rows in json.load(sys.stdin):
    scores = model.predict_proba(rows, sys.argv[3])
    answers.append([{name: values.tolist() for name, values in scores.items()}, model.predict(rows, sys.argv[3])])
print(json.dumps([answers, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def alone(folder: Path, batches: list[Any], root: Path) -> list[Any]:
    """The answers of ``runtime.py`` in a process in which torch and polymodal cannot be imported: scores and predictions of each batch."""
    command = [sys.executable, "-I", "-c", _ALONE, ",".join(_BLOCKED), str(folder), str(root)]
    made = subprocess.run(command, input=json.dumps(batches), capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    answers, modules = json.loads(made.stdout)
    assert not {*_BLOCKED} & {*modules}
    return answers  # type: ignore[no-any-return]
