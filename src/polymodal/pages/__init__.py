"""The HTML pages: the report of a run and the pages of ``explain``, ``evaluate --robustness`` and ``compare``.

Each page is one self-contained file in English or Chinese, made from plain data.
"""

from __future__ import annotations

from .card import card
from .comparison import label_of as contender_label
from .comparison import left_out as why_left_out
from .comparison import page as comparison_page
from .comparison import sentence_of as comparison_sentence
from .comparison import trains_on_few
from .examples import examples_of, is_private, worst_rows
from .explanation import page as explanation_page
from .fields import model_label
from .markdown import escaped
from .records import (
    ByTarget,
    Records,
    Result,
    Section,
    aligned,
    decimals,
    html_table,
    metric_sections,
    plain,
    with_error,
)
from .robustness import page as robustness_page
from .run import VERDICTS, entry_name, finding_lines, p_legend, write
from .run import page as run_page
from .run_folder import ENDED, EXAMPLES, INTERRUPTED, REPORT_DATA, read_run

__all__ = [
    "ENDED",
    "EXAMPLES",
    "INTERRUPTED",
    "REPORT_DATA",
    "VERDICTS",
    "ByTarget",
    "Records",
    "Result",
    "Section",
    "aligned",
    "card",
    "comparison_page",
    "comparison_sentence",
    "contender_label",
    "decimals",
    "entry_name",
    "escaped",
    "examples_of",
    "explanation_page",
    "finding_lines",
    "html_table",
    "is_private",
    "metric_sections",
    "model_label",
    "p_legend",
    "plain",
    "read_run",
    "robustness_page",
    "run_page",
    "trains_on_few",
    "why_left_out",
    "with_error",
    "worst_rows",
    "write",
]
