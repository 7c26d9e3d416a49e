"""Text from a table or a model as part of a Markdown page, which shows it as it is: without markup, HTML or links."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>#!|~&$:@])|(?<=www)(\.)", re.IGNORECASE)
"""Characters that begin markup. A colon and an at sign begin the links that GitHub makes of addresses, as ``www.`` does."""


def escaped(value: object) -> str:
    """Return a value as one line of text that Markdown and HTML show as it is."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(value))


def one_line(value: object) -> str:
    """Return a value as one line of text."""
    return " ".join(str(value).split())
