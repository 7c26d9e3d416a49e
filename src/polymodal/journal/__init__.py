"""What a resumed run or comparison must know: what was decided so far, and what it was begun with.

``journal`` is the journal of a run (``checkpoints/ledger.json``), ``lines`` that of a comparison (``cells.jsonl``). ``differences`` finds
and refuses differences in data, settings and code, ``versions`` returns the digests and versions that are compared.
"""

from .differences import Difference, differences, refuse
from .journal import JOURNAL_FILE, Journal
from .lines import LineJournal, ignore
from .versions import code_of, digest_of

__all__ = ["JOURNAL_FILE", "Difference", "Journal", "LineJournal", "code_of", "differences", "digest_of", "ignore", "refuse"]
