"""Checks of the tokenizers of pretrained models in bundles: only known parts are accepted, and none that greatly lengthens a text."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import Fault

_NORMALISERS = {"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents", "Strip", "Replace", "Prepend",
                "Precompiled", "Sequence", "ByteLevel"}  # fmt: skip
_PRETOKENIZERS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Metaspace", "ByteLevel", "Split", "Punctuation", "Digits",
                  "UnicodeScripts", "CharDelimiterSplit", "Sequence"}  # fmt: skip
_PROCESSORS = {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"}
_MODELS = {"WordPiece", "BPE", "Unigram", "WordLevel"}
_MOST_PARTS, _LONGEST = 32, 4_000
_MOST_REPLACED = 4
"""The maximum number of parts that replace the matches of a pattern. A pattern with empty matches may double the length of a text."""
_LARGEST_ID, _LONGEST_WORD, _LONGEST_PIECE = 2**24, 1_000, 256


def check_given(tree: Any) -> None:
    """Check a tokenizer.

    :param tree: the data of its JSON file
    :raises ValueError: it has a part that is not known, that lengthens text, or whose result is random
    """
    if tree["model"]["type"] not in _MODELS or tree["model"].get("dropout") or tree.get("padding") or tree.get("truncation"):
        raise ValueError("a tokenizer of an unknown model, or with dropout, padding or truncation")
    words = tree["model"]["vocab"]
    _check_ids(words.values() if isinstance(words, dict) else ())
    _check_ids(token["id"] for token in tree.get("added_tokens", []))
    if tree["model"].get("max_input_chars_per_word", 0) > _LONGEST_WORD:
        raise ValueError("a tokenizer whose words are too long")
    for name, inner, known in (("normalizer", "normalizers", _NORMALISERS), ("pre_tokenizer", "pretokenizers", _PRETOKENIZERS),
                               ("post_processor", "processors", _PROCESSORS)):  # fmt: skip
        parts = [tree[name]] if tree.get(name) else []
        for part in parts:  # the list grows during the loop
            if part["type"] not in known or len(parts) > _MOST_PARTS:
                raise ValueError(f"a tokenizer with the {name} {part['type']!r}, or with too many parts")
            _check_part(part)
            parts += part.get(inner, [])
        if sum(part["type"] == "Replace" and "Regex" in part["pattern"] for part in parts) > _MOST_REPLACED:
            raise ValueError(f"a tokenizer that replaces the matches of more than {_MOST_REPLACED} patterns")
    if len(tree.get("added_tokens", [])) > 100_000:
        raise ValueError("a tokenizer with too many added tokens")


def _check_part(part: Any) -> None:
    """Check that a part does not lengthen text by much."""
    if part["type"] == "Replace" and len(part["content"]) > 1:
        raise ValueError("a tokenizer that replaces text with longer text")
    if part["type"] == "Prepend" and len(part["prepend"]) > 4:
        raise ValueError("a tokenizer that adds too much text before a text")
    if part["type"] == "TemplateProcessing" and (len(part["single"]) > 16 or len(part["special_tokens"]) > 64):
        raise ValueError("a tokenizer that adds too many tokens to a text")
    if part["type"] == "TemplateProcessing":
        for token in part["special_tokens"].values():
            if len(token["ids"]) > 16:
                raise ValueError("a tokenizer that adds too many tokens to a text")
            _check_ids(token["ids"])
    if part["type"] == "Precompiled" and _longest_piece(part["precompiled_charsmap"]) > _LONGEST_PIECE:
        raise ValueError("a tokenizer that replaces text with longer text")
    pattern = part.get("pattern")
    if isinstance(pattern, dict) and any(not 1 <= len(str(value)) <= _LONGEST for value in pattern.values()):
        raise ValueError("a tokenizer with a pattern that is empty or too long")


def _check_ids(ids: Iterable[Any]) -> None:
    """Check that the numbers of tokens are whole numbers within bounds."""
    if not all(type(token) is int and 0 <= token <= _LARGEST_ID for token in ids):
        raise ValueError("a tokenizer whose token numbers are not whole numbers from 0 on")


def _longest_piece(charsmap: Any) -> int:
    """Return the length in bytes of the longest replacement in SentencePiece's table of characters."""
    table = base64.b64decode(charsmap or "")
    if len(table) < 4:
        return 0
    (size,) = struct.unpack("<I", table[:4])
    return max(map(len, table[4 + size :].split(b"\0")), default=0)


def ids_of(tokenizer: Any, text: str) -> Sequence[int]:
    """Return the tokens of a text.

    :raises Fault: the tokenizer fails on the text
    """
    try:
        return list(tokenizer.encode(text).ids)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the library raises Exception, and PanicException if a pattern backtracks too much
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise Fault(f"a text on which the tokenizer fails ({' '.join(str(error).split())[:80]}); expected another text") from None
