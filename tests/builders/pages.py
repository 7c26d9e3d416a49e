"""A parser that checks HTML pages, and the data of a page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The tags of a page, and whether every one that opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


SPAN = {"mean": 0.021, "low": 0.004, "high": 0.038}
CONTENDER = {"mean": 0.8, "spread": 0.01, "rounds": [0.8], "difference": None, "change": None, "metrics": {"accuracy": 0.8, "ece": None}}
COMPARED: dict[str, Any] = {
    "table": EVIL, "rows": 400, "seconds": 12.0, "time_limit": 60.0, "seed": 0, "rounds": 5, "trials": 4,
    "refused": {"film": "needs_two_fields"},
    "contenders": {
        name: {"field": field, "settings": ["training.lr=0.01"] * bool(field), "seconds": 1.5, "parameters": 1234, "failed": failed,
               "rounds": rounds, "search_rows": 100, "search_scores": {"y": 0.7}, "search_best": {"y": 0.8}}
        for name, field, failed, rounds in [("only photo", "photo", "", 5), ("concat", None, "", 5), ("late", None, "", 0), ("tensor", None, EVIL, 0)]
    },
    "targets": {
        "y": {
            "metric": "accuracy", "why": "10_%_are_rare", "larger_is_better": True, "best_alone": "only photo", "best_fused": "concat",
            "other_alone": None, "trained": 240, "selecting": 60, "rounds": 5,
            "difference": SPAN, "verdict": "helps", "beside": {"metric": "roc_auc", "means": {"only photo": 0.7, "concat": 0.75}},
            "small": 0.01, "measured": 300, "constant": 0.5, "learned": False, "sentence": "fusing_helps",
            "contenders": {"only photo": CONTENDER, "concat": CONTENDER | {"difference": SPAN, "change": {"of": "late", "difference": SPAN}}},
        },
    },
}  # fmt: skip
