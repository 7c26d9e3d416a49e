"""Repeatedly kills training with signal 9: each time the run must be resumable, and end with the weights of an uninterrupted run.

    python benchmarks/kill.py [--times 100] [--kills 4] [--jobs 2] [--seed 0]

Each trial starts ``polymodal train``, kills it, continues with ``--resume`` (a third of these are killed once more) and compares the
SHA-256 of the final weights with those of the uninterrupted run. Half of the kills come from outside at a random moment; half happen
inside the write, the fsync, the link or the rename of a checkpoint, or the fsync of its folder, at fault points around the calls of
``os`` in ``storage.files``. With ``--kills``, each run is killed that many times, at each of these points and from outside in turn. After
every kill the checkpoints are read: the last one, or the one before it, must be whole. The benchmark prints the number of kills at each
point; the exit code is 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

POINTS = ("write", "half a write", "fsync", "link", "rename", "after the rename")
SETTINGS = [
    "training.epochs=3", "data.split.folds=2", "training.checkpoint_steps=1", "training.batch_size=16", "model.width=16",
    "model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8, 16]", "fields.photo.size=16",
]  # fmt: skip


# -- the process that is killed -----------------------------------------------------------------------------------------


class FaultyOs:
    """``os`` as ``polymodal.storage.files`` uses it; it ends the process when a point is reached for the ``at``-th time."""

    def __init__(self, point: str, at: int) -> None:
        self.point, self.left = point, at
        self.files: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _reached(self, point: str, path: str) -> bool:
        if point != self.point or "checkpoints" not in path or ".safetensors" not in path:
            return False
        self.left -= 1
        return self.left == 0

    def _end(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fdopen(self, descriptor: int, *arguments: Any) -> Any:
        file = os.fdopen(descriptor, *arguments)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        self.files[descriptor] = path
        outer = self

        class Writer:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def write(self, body: bytes) -> int:
                if outer._reached("write", path):
                    outer._end()
                if outer._reached("half a write", path):
                    file.write(body[: len(body) // 2])
                    file.flush()
                    outer._end()
                return int(file.write(body))

        return Writer()

    def fsync(self, descriptor: int) -> None:
        if self._reached("fsync", self.files.get(descriptor, "")):
            self._end()
        os.fsync(descriptor)

    def link(self, source: Any, target: Any) -> None:
        os.link(source, target)
        if self._reached("link", str(target)):
            self._end()

    def replace(self, source: Any, target: Any) -> None:
        if self._reached("rename", str(target)):
            self._end()
        os.replace(source, target)
        if self._reached("after the rename", str(target)):
            self._end()


def child(point: str, at: int, arguments: list[str]) -> None:
    """Run ``polymodal`` with a fault point."""
    import polymodal.storage.files
    from polymodal.cli.main import entry

    polymodal.storage.files.os = FaultyOs(point, at)  # type: ignore[assignment]
    sys.argv = ["polymodal", *arguments]
    entry()


# -- the harness --------------------------------------------------------------------------------------------------------


def write_table(folder: Path, rows: int = 96) -> Path:
    """Write a table of pictures, text, a number and a class."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    (folder / "img").mkdir(parents=True)
    lines = ["photo,text,price,label"]
    for at in range(rows):
        color = [(200, 40, 40), (40, 200, 40), (40, 40, 200)][at % 3]
        Image.fromarray(np.clip(rng.normal(color, 30, (20, 20, 3)), 0, 255).astype(np.uint8)).save(folder / "img" / f"{at}.png")
        lines.append(
            f"img/{at}.png,{' '.join(rng.choice(['red', 'green', 'blue', 'one', 'two'], 4))},{rng.normal(at % 3):.3f},{'abc'[at % 3]}"
        )
    (folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "table.csv"


class Trial:
    """One run, killed and resumed."""

    def __init__(self, table: Path, out: Path, rng: random.Random, points: list[str | None], seconds: float, counts: int) -> None:
        self.table, self.out, self.rng, self.seconds, self.writes = table, out, rng, seconds, counts
        self.points = points
        self.landed: list[str] = []
        self.lost: list[str] = []

    def go(self, expected: str) -> Trial:
        first, *more = self.points
        while not self._kill(self._begin(), first):
            self.seconds *= 0.8  # it had ended before
        for point in more:
            self._kill(self._go_on(), point)
        resumed = subprocess.run(command("", 0, self._go_on()), capture_output=True, text=True, env=environment())
        if resumed.returncode:
            self.lost.append(f"resume: exit {resumed.returncode}: {resumed.stderr[-500:]}")
        elif digest(self.out) != expected:
            self.lost.append("other weights than the unbroken run's")
        return self

    def _begin(self) -> list[str]:
        return ["train", str(self.table), *SETTINGS, "--target", "label", "-o", str(self.out), "--quiet", "--overwrite"]

    def _go_on(self) -> list[str]:
        if (self.out / "run.yaml").exists():
            return ["train", "--resume", str(self.out), "--quiet"]
        return self._begin()  # killed before there was a run

    def _kill(self, arguments: list[str], point: str | None) -> bool:
        """Return whether the process was killed before it ended."""
        at = self.rng.randint(1, self.writes) if point is not None else 0
        process = subprocess.Popen(
            command(point or "", at, arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
        )
        timer = None
        if point is None:
            timer = threading.Timer(self.rng.uniform(0, self.seconds), process.kill)
            timer.start()
        errors = process.communicate()[1]
        if timer is not None:
            timer.cancel()
        if process.returncode == 0:
            return False
        if process.returncode != -signal.SIGKILL:
            self.lost.append(f"exit {process.returncode}: {errors.decode(errors='replace')[-500:]}")
        else:
            self.landed.append(f"checkpoint, {point}" if point is not None else self._where())
        self.lost += unreadable(self.out)
        return True

    def _where(self) -> str:
        if not (self.out / "checkpoints" / "ledger.json").exists():
            return "anywhere, before training"
        return "anywhere, while training" if not (self.out / "metrics.json").exists() else "anywhere, once there was a bundle"


def unreadable(out: Path) -> list[str]:
    """Return the faults of the checkpoints of a killed run."""
    from polymodal.training.checkpoint import BrokenCheckpoint, unseal

    wrong = []
    for path in (out / "checkpoints").glob("[!.]*.safetensors"):
        try:
            unseal(path.read_bytes())
        except BrokenCheckpoint as error:
            wrong.append(f"{path.name}: {error}")
    last, previous = (out / "checkpoints" / f"{name}.safetensors" for name in ("last", "previous"))
    if previous.exists() and not last.exists():
        wrong.append("last.safetensors is gone")
    try:
        json.loads((out / "checkpoints" / "ledger.json").read_bytes())
    except FileNotFoundError:
        pass
    except ValueError as error:
        wrong.append(f"ledger.json: {error}")
    return wrong


def command(point: str, at: int, arguments: list[str]) -> list[str]:
    return [sys.executable, __file__, "child", point, str(at), *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def digest(out: Path) -> str:
    return hashlib.sha256((out / "bundle" / "weights.safetensors").read_bytes()).hexdigest()


def main() -> None:
    """Kill runs, resume them, compare their weights, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="runs that are killed")
    parser.add_argument("--kills", type=int, default=0, help="kills of each run; 0 = one or two")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write_table(folder / "data")
        whole = Trial(table, folder / "unbroken", rng, [], 0, 0)
        subprocess.run(command("", 0, whole._begin()), check=True, env=environment(), stdout=subprocess.DEVNULL)
        seconds, expected = time.monotonic() - begin, digest(whole.out)
        log = (whole.out / "log.jsonl").read_text(encoding="utf-8")
        writes = log.count('"event": "checkpoint"')
        print(f"unbroken: {seconds:.1f} s, {writes} checkpoints, weights {expected[:16]}", flush=True)
        trials = []
        for at in range(arguments.times):
            points = [rng.choice(POINTS) if at % 2 else None]
            if arguments.kills:
                points = [(*POINTS, None)[(at * arguments.kills + kill) % (len(POINTS) + 1)] for kill in range(arguments.kills)]
                points.sort(key=lambda point: point is None)  # a kill from outside last: it may come after the last checkpoint
            elif rng.random() < 1 / 3:
                points.append(rng.choice([*POINTS, None]))
            within = writes // max(arguments.kills, 1)  # a run that is killed often has fewer checkpoints left
            trials.append(Trial(table, folder / f"run_{at}", random.Random(rng.random()), points, seconds, within))

        def go(trial: Trial) -> Trial:
            trial.go(expected)
            shutil.rmtree(trial.out, ignore_errors=True)
            return trial

        with ThreadPoolExecutor(arguments.jobs) as pool:
            done = list(pool.map(go, trials))
    landed = collections.Counter(where for trial in done for where in trial.landed)
    lost = [f"trial {at}: {what}" for at, trial in enumerate(done) for what in trial.lost]
    kills = sum(landed.values())
    inside = sum(count for where, count in landed.items() if where.startswith("checkpoint"))
    for where, count in sorted(landed.items()):
        print(f"{count:6}  {where}")
    print(f"{kills} kills in {len(done)} runs, {inside} ({inside / max(kills, 1):.0%}) inside a checkpoint's write, fsync, link or rename")
    print(f"{len(done) - len({line.partition(':')[0] for line in lost})} of {len(done)} runs ended with the unbroken weights; "
          f"{time.monotonic() - begin:.0f} s")  # fmt: skip
    print("\n".join(lost))
    sys.exit(bool(lost))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        main()
