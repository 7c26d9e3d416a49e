"""Text in any language: Unicode-normalised, then hashed n-grams or tokens of a subword vocabulary.

``ngrams``: words, word pairs and runs of 3 and 4 letters inside words, hashed into buckets; where a script writes no
spaces (Chinese, Japanese kanji and kana), single characters, pairs and triples. Weights are TF-IDF of length 1
(Salton and Buckley 1988), so that what every row says weighs little. The features of fastText (Joulin et al. 2016,
arXiv:1607.01759), counted rather than averaged.

``tokens``: byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) trained on the training rows.
"""

from __future__ import annotations

import base64
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal
from zlib import crc32

import numpy as np
import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor

from ..cells import is_empty
from ..errors import Fault
from ..flow import Cell, Form, Geometry, Sample, State
from .corruption import Corruption
from .files import Roots
from .misprints import of_text
from .modality import FieldConfig, Modality, Parts, Recognition, bucket, padded
from .objects import Unreadable, called
from .tags import MARK, are_texts, as_list, spans_of, tagged_text, tags_of
from .tokenizers import check_given, ids_of

_MOST_PARTS = 64
_NO_TEXT = (bytes, bytearray, dict, np.ndarray, Unreadable)
_IDF_STEP = 1 / 16  # IDF is kept as bytes of this step: 0 to 16
_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PIECE = re.compile(rf"([{_UNSPACED}]+)|([^\W_{_UNSPACED}]+)|(\S)")
_PRETOKENS = r"\s?[\p{Han}\p{Hiragana}\p{Katakana}]{1,8}|\s?\p{L}+|\s?\p{N}{1,3}|\s?[^\s\p{L}\p{N}]+|\s+"
_WORDS = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+|[^\w\s]")


class TextConfig(FieldConfig):
    """A column of text, or several joined."""

    kind: Literal["text"] = "text"
    column: str | None = None
    """The column that holds the text."""
    columns: list[str] | None = None
    """Several columns read as one text, in order, in place of ``column``."""
    max_chars: int = Setting(20_000, ge=1)
    """Characters read of one cell; the rest is cut off."""
    lists: bool = False
    """Cells that are lists written out (["a", "b"], as JSON or as Python writes it) are read item by item, as lists are."""

    @model_validator(mode="after")
    def _one_or_several(self) -> TextConfig:
        if (self.column is None) == (not self.columns):
            raise ValueError("give either 'column' or 'columns'")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """One column, or several."""
        return (self.column,) if self.column is not None else tuple(self.columns or ())

    @classmethod
    def modality(cls) -> type[Modality]:
        """``Text``."""
        return Text


class Text(Modality):
    """Reads text."""

    kind = "text"
    forms = ("ngrams", "tokens")
    may_be_id = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Text is what reads as several words, or as a different word in nearly every row."""
        lists = sum(map(are_texts, cells))
        if lists and lists >= 0.5 * len(cells) and all(isinstance(cell, (str, list)) for cell in cells):
            written = any(isinstance(cell, str) and are_texts(cell) for cell in cells)
            return Recognition(0.9, {"lists": True} if written else {}, f"{lists / len(cells):.0%} of the cells are lists of texts")
        words = [cell for cell in cells if isinstance(cell, str)]
        if len(words) < 0.9 * max(len(cells), 1):
            return Recognition(0.0)
        pieces = float(np.mean([sum(_reading_units(word) for word in _WORDS.findall(text[:500])) for text in words]))
        letters = float(np.mean([any(char.isalpha() for char in text[:500]) for text in words]))
        distinct = len(set(words)) / len(words)
        if letters < 0.5:
            return Recognition(0.1, {}, "few cells hold letters")
        phrases = pieces >= 4 and len(set(words)) > 20  # "is there a red circle?" may come back, and is no category
        confidence = 0.85 if phrases else 0.75 if pieces >= 1.5 and distinct > 0.5 else 0.5
        if not phrases and (distinct <= 0.2 or (distinct <= 0.5 and pieces < 3)):
            confidence = 0.3
        return Recognition(confidence, {}, f"{pieces:.1f} words a cell, {distinct:.0%} of the cells differ")

    @classmethod
    def fit(cls, config: TextConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: for ``ngrams`` the buckets and their IDF; for ``tokens`` the tokenizer and its vocabulary size."""
        cls.check_form(form)
        if "tokenizer" in needs:  # of a pretrained model, which must read as it was taught to
            return {"form": form, "tokenizer": needs["tokenizer"], "vocabulary": 0, "max_tokens": int(needs["max_tokens"]), "given": True}
        texts = (normalise(as_list(cell) if config.lists else cell, config.max_chars) for cell in cells if not _unreadable(cell))
        if form == "ngrams":
            buckets = int(needs["buckets"])
            seen = np.zeros(buckets, np.int64)
            count = 0
            for text in texts:
                seen[np.unique(_hashes(text, buckets))] += 1
                count += 1
            idf = np.log((1 + count) / (1 + seen)) + 1  # as in scikit-learn's smooth_idf
            steps = np.clip(np.round(idf / _IDF_STEP), 1, 255).astype(np.uint8)
            return {"form": form, "buckets": buckets, "max_ngrams": int(needs["max_ngrams"]),
                    "idf": base64.b64encode(steps.tobytes()).decode()}  # fmt: skip
        tokenizer = _train_tokenizer(texts, int(needs["vocabulary"]))
        return {"form": form, "tokenizer": json.loads(tokenizer.to_str()), "vocabulary": tokenizer.get_vocab_size(),
                "max_tokens": int(needs["max_tokens"])}  # fmt: skip

    def check(self) -> None:
        """A weight for each bucket, or a tokenizer of the vocabulary that it says."""
        state = self.state
        self.check_form(state["form"])
        length = state["max_ngrams" if state["form"] == "ngrams" else "max_tokens"]
        if type(length) is not int or not 1 <= length <= 2**20:
            raise ValueError(f"texts of {length} parts")
        if state["form"] == "ngrams" and (type(state["buckets"]) is not int or len(self._idf) != state["buckets"] or not len(self._idf)):
            raise ValueError(f"{len(self._idf)} weights of {state['buckets']} buckets")
        if "given" in state:
            check_given(state["tokenizer"])
            self._tokenizer.get_vocab_size()
        elif state["form"] == "tokens":
            said, ours = _without_words(self._tokenizer), _without_words(_train_tokenizer([], 257))
            if said != ours:
                raise ValueError("a tokenizer that is not of the kind that training makes")
            numbers = sorted(self._tokenizer.get_vocab().values())
            if type(state["vocabulary"]) is not int or state["vocabulary"] != len(numbers) or numbers != list(range(len(numbers))):
                raise ValueError(f"a tokenizer whose {len(numbers):,} subwords are not numbered from 0 on, or not as many as said")

    def read(self, cell: Cell) -> Sample:
        """``ids`` int32 (n,), from 1 up; for ``ngrams`` also ``weights`` float32 (n,) of Euclidean length 1."""
        return self.sample_of(self.held(cell))

    def held(self, cell: Cell) -> str:
        """The text, normalised."""
        if _unreadable(cell):
            raise Fault(f"found {called(cell)}; expected text")
        return normalise(
            as_list(cell) if self.config.lists else cell, self.config.max_chars, form=None if "given" in self.state else "NFKC"
        )

    def sample_of(self, held: str) -> Sample:
        """Its n-grams or tokens."""
        if self.state["form"] == "tokens":
            ids = np.array(ids_of(self._tokenizer, held)[: self.state["max_tokens"]], np.int32)
            return {"ids": ids + 1 if len(ids) else np.ones(1, np.int32)}
        hashes, counts = np.unique(_hashes(held, self.state["buckets"]), return_counts=True)
        if not len(hashes):
            return self.blank()
        weights = (1 + np.log(counts)) * self._idf[hashes]
        if len(hashes) > self.state["max_ngrams"]:
            keep = np.sort(np.argsort(-weights, kind="stable")[: self.state["max_ngrams"]])
            hashes, weights = hashes[keep], weights[keep]
        weights = weights / math.sqrt(float((weights**2).sum()))
        return {"ids": (hashes + 1).astype(np.int32), "weights": weights.astype(np.float32)}

    @cached_property
    def _idf(self) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.state["idf"]), np.uint8).astype(np.float64) * _IDF_STEP

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(json.dumps(self.state["tokenizer"]))
            if "given" in self.state:
                tokenizer.enable_truncation(self.state["max_tokens"])  # what stands at a text's end is kept at its end
            return tokenizer
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"a tokenizer that cannot be read ({str(error)[:100]})") from None

    def blank(self) -> Sample:
        """No n-gram at all, or one unknown token."""
        if self.state["form"] == "tokens":
            return {"ids": np.ones(1, np.int32)}
        return {"ids": np.zeros(1, np.int32), "weights": np.zeros(1, np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """The length, up to the next power of two."""
        largest = self.state["max_tokens"] if self.state["form"] == "tokens" else self.state["max_ngrams"]
        return (bucket(len(sample["ids"]), 16 if self.state["form"] == "tokens" else 64, largest),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """``ids`` int64 (U, L), 0 = padding; ``weights`` float32 (U, L)."""
        (length,) = geometry
        values = {"ids": torch.from_numpy(padded(samples, "ids", length)).long()}
        if "weights" in samples[0]:
            values["weights"] = torch.from_numpy(padded(samples, "weights", length))
        return values

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Nothing: dropout inside the encoder does for text what shifts do for pictures."""
        return sample

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of what is written, before it is cut into pieces."""
        return of_text(_words)

    def parts(self, cell: Cell, sample: Sample) -> Parts | None:
        """Its words, single characters where a script writes no spaces; of a list, its texts; of more than 64, so many runs of
        neighbours."""
        text = self.held(cell)
        spans = spans_of(text) if MARK in text else _words(text)
        if not spans:
            return None
        runs = [spans[part[0]][:1] + spans[part[-1]][1:] for part in np.array_split(np.arange(len(spans)), min(len(spans), _MOST_PARTS))]
        rests = [text[:start] + text[end:] for start, end in runs]
        edges = [0, *(edge for run in runs for edge in run), len(text)]
        return Parts(
            [text[start:end].replace(MARK, ", ") for start, end in runs],
            [None if self.is_missing(rest) else self.read(rest) for rest in rests],
            between=[text[start:end].replace(MARK, ", ") for start, end in zip(edges[::2], edges[1::2], strict=True)],
        )

    def is_missing(self, cell: Cell) -> bool:
        """An empty cell, or a list of no text."""
        return is_empty(cell) or (isinstance(cell, list) and tags_of(cell) == [])

    def show(self, cell: Cell) -> str:
        """The text; of a list, its texts."""
        tags = tags_of(cell) if isinstance(cell, list) else None
        return super().show(cell if tags is None else ", ".join(tags))

    def cost(self) -> float:
        """Small beside a picture."""
        return 1e4 if self.state["form"] == "ngrams" else 1e6

    def describe(self) -> str:
        """Its vocabulary."""
        if self.state["form"] == "tokens":
            return f"{self._tokenizer.get_vocab_size():,} subwords, at most {self.state['max_tokens']}"
        return f"n-grams hashed into {self.state['buckets']:,} buckets"


def normalise(cell: Cell, max_chars: int = 20_000, form: Literal["NFKC"] | None = "NFKC") -> str:
    """A cell (or the joined parts of one) as text: NFKC (unless ``form`` is None), no NUL, at most ``max_chars`` characters."""
    if isinstance(cell, tuple):
        cell = "\n".join(tagged_text(part)[:max_chars] for part in cell if not is_empty(part))
    text = tagged_text(cell)[:max_chars]
    text = unicodedata.normalize(form, text) if form else text
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode("utf-8")  # lone surrogates go
    return text.replace("\0", " ")


def _unreadable(cell: Cell) -> bool:
    parts = cell if isinstance(cell, tuple) else (cell,)
    return any(isinstance(part, _NO_TEXT) or (isinstance(part, list) and tags_of(part) is None) for part in parts)


def _words(text: str) -> list[tuple[int, int]]:
    """Where each word stands; each character where a script writes no spaces."""
    return [span for word in _WORDS.finditer(text) for span in _spans(word)]


def _spans(word: re.Match[str]) -> list[tuple[int, int]]:
    """Where a word stands, or each character of a run without spaces."""
    start, end = word.span()
    return [(at, at + 1) for at in range(start, end)] if re.match(rf"[{_UNSPACED}]", word[0]) else [(start, end)]


def _reading_units(word: str) -> float:
    """About how many words a run of letters is: two Chinese characters make one."""
    return max(1.0, len(word) / 2) if re.match(rf"[{_UNSPACED}]", word) else 1.0


def _grams(text: str) -> Iterator[str]:
    """The n-grams of a text; of a joined list those of each of its texts by itself, and each text of three pieces or more as a whole."""
    if MARK not in text:
        yield from _grams_inside(text)
        return
    for start, end in spans_of(text):
        yield from _grams_inside(text[start:end])
        pieces = [piece for parts in _PIECE.findall(text[start:end].casefold()) for piece in parts if piece]
        if len(pieces) > 2:
            yield " ".join(text[start:end].casefold().split())


def _grams_inside(text: str) -> Iterator[str]:
    before = ""
    for unspaced, word, sign in _PIECE.findall(text.casefold()):
        if unspaced:
            for length in (1, 2, 3):
                for start in range(len(unspaced) - length + 1):
                    yield unspaced[start : start + length]
            before = unspaced[-1]
            continue
        piece = word or sign
        yield piece
        if before:
            yield before + " " + piece
        before = piece
        if word:
            framed = f"<{word[:64]}>"
            for length in (3, 4):
                for start in range(len(framed) - length + 1):
                    yield "#" + framed[start : start + length]


def _hashes(text: str, buckets: int) -> np.ndarray:
    return np.fromiter((crc32(gram.encode()) % buckets for gram in _grams(text)), np.int64)


def _without_words(tokenizer: Any) -> Any:
    """All that a tokenizer does, but for its vocabulary: what may not differ from one file to another."""
    tree = json.loads(tokenizer.to_str())
    for name in ("vocab", "merges"):
        tree["model"].pop(name)
    return tree


def _train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PRETOKENS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2, max_token_length=24,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
