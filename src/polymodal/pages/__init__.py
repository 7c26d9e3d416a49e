"""The HTML pages: the report of a run and the pages of ``explain``, ``evaluate --robustness`` and ``compare``.

Each page is one self-contained file in English or Chinese, made from plain data.
"""

from __future__ import annotations

from .card import card
from .comparison import page as comparison_page
from .examples import examples_of, is_private, worst_rows
from .explanation import page as explanation_page
from .markdown import escaped
from .records import Records, aligned, html_table, plain, with_error
from .robustness import page as robustness_page
from .run import page as run_page
from .run import write
from .run_folder import ENDED, EXAMPLES, INTERRUPTED, REPORT_DATA, read_run

__all__ = [
    "ENDED",
    "EXAMPLES",
    "INTERRUPTED",
    "REPORT_DATA",
    "Records",
    "aligned",
    "card",
    "comparison_page",
    "escaped",
    "examples_of",
    "explanation_page",
    "html_table",
    "is_private",
    "plain",
    "read_run",
    "robustness_page",
    "run_page",
    "with_error",
    "worst_rows",
    "write",
]
