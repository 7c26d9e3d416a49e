"""How the C library handles memory that is freed: by default, glibc returns large blocks to the system, and the next step asks for them
again, which then fills each page of them with zeros. Training on a CPU spends about a tenth of its time on that.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the parameters of mallopt(3)
_LARGEST = 2**30
"""The number of bytes up to which freed memory is kept, and blocks are taken from it."""
_LARGEST_BEFORE = 2**25
"""The largest block that older versions of glibc take from freed memory."""
_SET_BY_USER = ("MALLOC_", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES")


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep up to 1 GiB of freed memory of this process for later use, as long as it runs, and return whether it does.

    Nothing is changed where the C library is another one, where an environment variable configures glibc's allocator (``MALLOC_...``,
    ``GLIBC_TUNABLES``), or where a library is preloaded, which may be another allocator.
    """
    if any(name.startswith(_SET_BY_USER) for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018, an AttributeError for another library
        library.mallopt.argtypes, library.mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    except (AttributeError, OSError, TypeError):  # TypeError: on Windows
        return False
    if not (library.mallopt(_MMAP_THRESHOLD, _LARGEST) or library.mallopt(_MMAP_THRESHOLD, _LARGEST_BEFORE)):
        return False
    return bool(library.mallopt(_TRIM_THRESHOLD, _LARGEST))
