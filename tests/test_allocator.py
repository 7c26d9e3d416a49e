"""Freed memory is kept for later use, where the C library is glibc and the user has not configured its allocator."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

BLOCKS = """
import resource, sys
import numpy as np
from polymodal.allocator import keep_freed_memory
print(keep_freed_memory(), keep_freed_memory())
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(4_000_000)
before = faults()
for _ in range(20):
    np.ones(4_000_000)
print(faults() - before)
"""
PAGES = 20 * 4_000_000 * 8 // 4096


def run(**environment: str) -> tuple[str, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"))}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True, env={**clean, **environment}
    )  # fmt: skip
    kept, faults = done.stdout.splitlines()
    return kept, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc")
def test_a_block_that_was_freed_is_used_again() -> None:
    kept, faults = run()
    assert kept == "True True"
    assert faults < PAGES / 20, "fewer pages than a single block has"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc")
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}],
    ids=["MALLOC_", "GLIBC_TUNABLES"],
)
def test_what_the_user_has_configured_stays(environment: dict[str, str]) -> None:
    assert run(**environment)[0] == "False False"
