"""Which tokenizers of pretrained models a bundle may bring: known parts, none of which makes much of little text."""

from __future__ import annotations

from typing import Any

_NORMALISERS = {"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents", "Strip", "Replace", "Prepend",
                "Precompiled", "Sequence", "ByteLevel"}  # fmt: skip
_PRETOKENIZERS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Metaspace", "ByteLevel", "Split", "Punctuation", "Digits",
                  "UnicodeScripts", "CharDelimiterSplit", "Sequence"}  # fmt: skip
_PROCESSORS = {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"}
_MODELS = {"WordPiece", "BPE", "Unigram", "WordLevel"}
_MOST_PARTS, _LONGEST = 32, 4_000


def check_given(tree: Any) -> None:
    """``ValueError`` for a tokenizer (its JSON as data) with a part that is not known, or that makes text longer or draws lots."""
    if tree["model"]["type"] not in _MODELS or tree["model"].get("dropout") or tree.get("padding") or tree.get("truncation"):
        raise ValueError("a tokenizer of an unknown model, or one that draws lots")
    for name, inner, known in (("normalizer", "normalizers", _NORMALISERS), ("pre_tokenizer", "pretokenizers", _PRETOKENIZERS),
                               ("post_processor", "processors", _PROCESSORS)):  # fmt: skip
        parts = [tree[name]] if tree.get(name) else []
        for part in parts:  # grows while it is walked
            if part["type"] not in known or len(parts) > _MOST_PARTS:
                raise ValueError(f"a tokenizer with the {name} {part['type']!r}, or with too many")
            _check_part(part)
            parts += part.get(inner, [])
    if len(tree.get("added_tokens", [])) > 100_000:
        raise ValueError("a tokenizer of too many added tokens")


def _check_part(part: Any) -> None:
    if part["type"] == "Replace" and len(part["content"]) > 1:
        raise ValueError("a tokenizer that replaces text by longer text")
    if part["type"] == "Prepend" and len(part["prepend"]) > 4:
        raise ValueError("a tokenizer that puts text before text")
    if part["type"] == "TemplateProcessing" and (len(part["single"]) > 16 or len(part["special_tokens"]) > 64):
        raise ValueError("a tokenizer that puts many tokens around a text")
    pattern = part.get("pattern")
    if isinstance(pattern, dict) and any(not 1 <= len(str(value)) <= _LONGEST for value in pattern.values()):
        raise ValueError("a tokenizer with an endless pattern, or an empty one")
