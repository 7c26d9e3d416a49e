"""What is written to disk: files that are written completely or not at all (``files``), a lock on a folder (``locks``), the policy for
output files and folders (``folders``), and the bound on what is unpacked (``unpacking``)."""

from .files import checksum_of, no_formula, not_written, replacing, sweep, sync_folder, write_texts, write_whole
from .folders import OutputFolder, check_file, check_files, discard_replaced, free_folder, hint_of_runs, unwritable
from .locks import Lock, busy
from .unpacking import RATIO, Inflated, is_bomb

__all__ = [
    "RATIO",
    "Inflated",
    "Lock",
    "OutputFolder",
    "busy",
    "check_file",
    "check_files",
    "checksum_of",
    "discard_replaced",
    "free_folder",
    "hint_of_runs",
    "is_bomb",
    "no_formula",
    "not_written",
    "replacing",
    "sweep",
    "sync_folder",
    "unwritable",
    "write_texts",
    "write_whole",
]
