"""A short version of the kill benchmark: training killed by signal 9 is resumed without a loss."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from builders import ROOT


@pytest.mark.slow
def test_killed_over_and_over_nothing_is_lost() -> None:
    script = ROOT / "benchmarks" / "kill.py"
    done = subprocess.run(
        [sys.executable, str(script), "--times", "2", "--kills", "4", "--seed", "3"], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 runs ended with the unbroken weights" in done.stdout
    inside = re.search(r"(\d+) kills in 2 runs, (\d+) ", done.stdout)
    assert inside is not None
    assert int(inside[2]) == 7, done.stdout
    assert int(inside[1]) >= 7, done.stdout
    for point in ("write", "half a write", "fsync", "link", "rename", "after the rename"):
        assert f"checkpoint, {point}\n" in done.stdout
