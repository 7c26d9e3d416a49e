"""The CPU seconds of ``polymodal --help``."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from speed.timing import Figure


def measure(quick: bool = False) -> list[Figure]:
    """Return the CPU seconds of a process."""
    seconds = []
    for _ in range(1 if quick else 9):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "polymodal", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return [Figure("polymodal --help: CPU seconds", statistics.median(seconds), min(seconds), max(seconds), most=0.25)]
