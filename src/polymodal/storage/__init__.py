"""What is written to disk: files that are written completely or not at all (``files``), a lock on a folder (``locks``), and the policy for
output files and folders (``folders``)."""

from .files import checksum_of, no_formula, not_written, replacing, sweep, sync_folder, write_texts, write_whole
from .folders import OutputFolder, check_file, check_files, discard_replaced, free_folder, unwritable
from .locks import Lock, busy

__all__ = [
    "Lock",
    "OutputFolder",
    "busy",
    "check_file",
    "check_files",
    "checksum_of",
    "discard_replaced",
    "free_folder",
    "no_formula",
    "not_written",
    "replacing",
    "sweep",
    "sync_folder",
    "unwritable",
    "write_texts",
    "write_whole",
]
