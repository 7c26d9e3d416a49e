"""Text modalities that are fitted to short texts."""

from __future__ import annotations

from typing import Any

from polymodal.modalities import Roots, Text, TextConfig

TOKENS = {"vocabulary": 400, "max_tokens": 32}


TEXTS = ["the red apple", "a green river", "红色的苹果很好吃", "The RED window", "绿色 river と 空", "nan", "silver stone 42"]


def fitted(needs: dict[str, int], cells: list[Any] | None = None, **settings: Any) -> Text:
    config = TextConfig(**({"column": "title"} | settings))
    form: Any = "ngrams" if "buckets" in needs else "tokens"
    return Text(config, Text.fit(config, TEXTS if cells is None else cells, form, needs, Roots()), Roots())
