"""Which tokenizers of pretrained models a bundle may bring: known parts, none of which makes much of little text."""

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
"""Parts that replace what a pattern finds: where it finds nothing between two characters, each may double a text."""
_LARGEST_ID, _LONGEST_WORD, _LONGEST_PIECE = 2**24, 1_000, 256


def check_given(tree: Any) -> None:
    """``ValueError`` for a tokenizer (its JSON as data) with a part that is not known, or that makes text longer or draws lots."""
    if tree["model"]["type"] not in _MODELS or tree["model"].get("dropout") or tree.get("padding") or tree.get("truncation"):
        raise ValueError("a tokenizer of an unknown model, or one that draws lots")
    words = tree["model"]["vocab"]
    _check_ids(words.values() if isinstance(words, dict) else ())
    _check_ids(token["id"] for token in tree.get("added_tokens", []))
    if tree["model"].get("max_input_chars_per_word", 0) > _LONGEST_WORD:
        raise ValueError("a tokenizer of endless words")
    for name, inner, known in (("normalizer", "normalizers", _NORMALISERS), ("pre_tokenizer", "pretokenizers", _PRETOKENIZERS),
                               ("post_processor", "processors", _PROCESSORS)):  # fmt: skip
        parts = [tree[name]] if tree.get(name) else []
        for part in parts:  # grows while it is walked
            if part["type"] not in known or len(parts) > _MOST_PARTS:
                raise ValueError(f"a tokenizer with the {name} {part['type']!r}, or with too many")
            _check_part(part)
            parts += part.get(inner, [])
        if sum(part["type"] == "Replace" and "Regex" in part["pattern"] for part in parts) > _MOST_REPLACED:
            raise ValueError(f"a tokenizer that replaces by more than {_MOST_REPLACED} patterns")
    if len(tree.get("added_tokens", [])) > 100_000:
        raise ValueError("a tokenizer of too many added tokens")


def _check_part(part: Any) -> None:
    if part["type"] == "Replace" and len(part["content"]) > 1:
        raise ValueError("a tokenizer that replaces text by longer text")
    if part["type"] == "Prepend" and len(part["prepend"]) > 4:
        raise ValueError("a tokenizer that puts text before text")
    if part["type"] == "TemplateProcessing" and (len(part["single"]) > 16 or len(part["special_tokens"]) > 64):
        raise ValueError("a tokenizer that puts many tokens around a text")
    if part["type"] == "TemplateProcessing":
        for token in part["special_tokens"].values():
            if len(token["ids"]) > 16:
                raise ValueError("a tokenizer that puts many tokens around a text")
            _check_ids(token["ids"])
    if part["type"] == "Precompiled" and _longest_piece(part["precompiled_charsmap"]) > _LONGEST_PIECE:
        raise ValueError("a tokenizer that replaces text by longer text")
    pattern = part.get("pattern")
    if isinstance(pattern, dict) and any(not 1 <= len(str(value)) <= _LONGEST for value in pattern.values()):
        raise ValueError("a tokenizer with an endless pattern, or an empty one")


def _check_ids(ids: Iterable[Any]) -> None:
    if not all(type(token) is int and 0 <= token <= _LARGEST_ID for token in ids):
        raise ValueError("a tokenizer whose tokens are numbered otherwise than from 0 on")


def _longest_piece(charsmap: Any) -> int:
    """Bytes of the longest text that SentencePiece's table of characters puts in a character's place."""
    table = base64.b64decode(charsmap or "")
    if len(table) < 4:
        return 0
    (size,) = struct.unpack("<I", table[:4])
    return max(map(len, table[4 + size :].split(b"\0")), default=0)


def ids_of(tokenizer: Any, text: str) -> Sequence[int]:
    """The tokens of a text; ``Fault`` where the tokenizer gives up on it."""
    try:
        return list(tokenizer.encode(text).ids)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the library raises plain Exception, and, of a pattern that tries too much, what is not even one
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise Fault(f"a text that the tokenizer gives up on ({' '.join(str(error).split())[:80]}); expected another text") from None
