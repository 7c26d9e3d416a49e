"""Text in any language: normalised by Unicode, then read as hashed n-grams or as tokens of a subword vocabulary.

``ngrams``: words, word pairs and runs of 3 and 4 letters inside words, hashed into buckets. In scripts without spaces: single characters,
pairs and triples of Chinese characters and kana, and runs of 1 to 4 letters of Thai, Lao, Burmese and Khmer, whose words are longer. A
letter is a character with its marks (``graphemes.py``). Weights are TF-IDF of length 1 (Salton and Buckley 1988), so that n-grams of every
row have small weights. The features are those of fastText (Joulin et al. 2016, arXiv:1607.01759), but counted instead of averaged.

``tokens``: byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909), learned from the training rows.

``letters`` in the state names the unit of letters. In states without it, of earlier versions, a letter is a single code point. ``known``
states which buckets the n-grams of training rows fall into, one bit each; an encoder needs embeddings of these only.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor

from ..cells import is_empty
from ..errors import ConfigError, Fault
from ..flow import Cell, Form, Geometry, Sample, State, Unreadable
from ..language import Sentence
from .files import Roots
from .modality import FieldConfig, Modality, Parts, Recognition, padded, percent
from .ngrams import hashes_of, reading_units, words_in
from .objects import called
from .sequences import bucket
from .signal_corruption import Corruption
from .tags import BREAK, are_texts, as_list, spans_of, tags_of
from .text_content import IDF_STEP, idf_of, normalise, text_in, weighted
from .text_corruption import of_text
from .tokenizers import check_given, ids_of

_MOST_PARTS = 64
_NO_TEXT = (bytes, bytearray, dict, np.ndarray, Unreadable)
_CLUSTERS = "clusters"
_NEEDED = {"ngrams": ("buckets", "max_ngrams"), "tokens": ("vocabulary", "max_tokens")}  # what an encoder of a form must state
_PRETOKENS = (
    r"\s?(?:[\p{Han}\p{Hiragana}\p{Katakana}]\p{M}*){1,8}|\s?(?:[[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&\p{L}]\p{M}*){1,8}"
    r"|\s?\p{L}[\p{L}\p{M}\x{200c}\x{200d}]*|\s?\p{N}{1,3}\p{M}*|\s?[^\s\p{L}\p{N}]+|\s+"
)
_PRETOKENS_OF_POINTS = r"\s?[\p{Han}\p{Hiragana}\p{Katakana}]{1,8}|\s?\p{L}+|\s?\p{N}{1,3}|\s?[^\s\p{L}\p{N}]+|\s+"
"""The pattern of tokenizers that earlier versions trained, whose letters are code points."""


class TextConfig(FieldConfig):
    """A column of text, or several joined."""

    kind: Literal["text"] = "text"
    column: str | None = None
    """The column with the text; null = see ``columns``."""
    columns: list[str] | None = None
    """Several columns that are read as one text, in order; null = see ``column``."""
    max_chars: int = Setting(20_000, ge=1)
    """The maximum number of characters read of one cell; the rest is cut off."""
    lists: bool = False
    """Whether cells with a list as text, such as ["a", "b"] in the syntax of JSON or Python, are read item by item, as lists are."""

    @model_validator(mode="after")
    def _one_or_several(self) -> TextConfig:
        if (self.column is None) == (not self.columns):
            raise ValueError("give either 'column' or 'columns'")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the field."""
        return (self.column,) if self.column is not None else tuple(self.columns or ())

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Text``."""
        return Text


class Text(Modality):
    """Read text as n-grams or tokens."""

    kind = "text"
    sent_as = "text"
    near_duplicates = "words"
    reads_strings = True
    pads_with_zeros = True
    forms = ("ngrams", "tokens")
    may_be_id = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Recognise cells of several words, or of a different word in nearly every row."""
        lists = sum(map(are_texts, cells))
        if lists and lists >= 0.5 * len(cells) and all(isinstance(cell, (str, list)) for cell in cells):
            written = any(isinstance(cell, str) and are_texts(cell) for cell in cells)
            return Recognition(0.9, {"lists": True} if written else {}, Sentence("why.lists", share=percent(lists / len(cells))))
        words = [cell for cell in cells if isinstance(cell, str)]
        if len(words) < 0.9 * max(len(cells), 1):
            return Recognition(0.0)
        pieces = float(np.mean([reading_units(text[:500]) for text in words]))
        letters = float(np.mean([any(char.isalpha() for char in text[:500]) for text in words]))
        distinct = len(set(words)) / len(words)
        if letters < 0.5:
            return Recognition(0.1, {}, Sentence("why.few_letters"))
        phrases = pieces >= 4 and len(set(words)) > 20  # questions may occur repeatedly, and are not categories
        confidence = 0.85 if phrases else 0.75 if pieces >= 1.5 and distinct > 0.5 else 0.5
        if not phrases and (distinct <= 0.2 or (distinct <= 0.5 and pieces < 3)):
            confidence = 0.3
        return Recognition(confidence, {}, Sentence("why.words", words=pieces, share=percent(distinct)))

    @classmethod
    def fit(cls, config: TextConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: for ``ngrams``, the buckets, their IDF and which are known; for ``tokens``, the tokenizer and its vocabulary."""
        cls.check_form(form)
        if "tokenizer" in needs:  # of a pretrained model
            return {"form": form, "tokenizer": needs["tokenizer"], "vocabulary": 0, "max_tokens": int(needs["max_tokens"]), "given": True,
                    "letters": _CLUSTERS}  # fmt: skip
        missing = [name for name in _NEEDED[form] if name not in needs]
        if missing:
            raise ConfigError(
                f"an encoder of {form!r} whose needs lack {' and '.join(missing)}; expected whole numbers; return them from its needs()"
            )
        texts = (normalise(as_list(cell) if config.lists else cell, config.max_chars) for cell in cells if not _unreadable(cell))
        if form == "ngrams":
            buckets = int(needs["buckets"])
            frequencies = np.zeros(buckets, np.int64)
            count = 0
            for text in texts:
                frequencies[np.unique(hashes_of(text, buckets))] += 1
                count += 1
            idf = np.log((1 + count) / (1 + frequencies)) + 1  # as in scikit-learn's smooth_idf
            steps = np.clip(np.round(idf / IDF_STEP), 1, 255).astype(np.uint8)
            return {"form": form, "buckets": buckets, "max_ngrams": int(needs["max_ngrams"]),
                    "idf": base64.b64encode(steps.tobytes()).decode(), "letters": _CLUSTERS,
                    "known": base64.b64encode(np.packbits(frequencies > 0).tobytes()).decode()}  # fmt: skip
        tokenizer = _train_tokenizer(texts, int(needs["vocabulary"]))
        return {"form": form, "tokenizer": json.loads(tokenizer.to_str()), "vocabulary": tokenizer.get_vocab_size(),
                "max_tokens": int(needs["max_tokens"]), "letters": _CLUSTERS}  # fmt: skip

    def check(self) -> None:
        """Check that each bucket has a weight, or that the tokenizer has the stated vocabulary."""
        state = self.state
        self.check_form(state["form"])
        if state.get("letters", _CLUSTERS) != _CLUSTERS:
            raise ValueError(f"letters that are {str(state['letters'])[:40]!r}; expected {_CLUSTERS!r}")
        length = state["max_ngrams" if state["form"] == "ngrams" else "max_tokens"]
        if type(length) is not int or not 1 <= length <= 2**20:
            raise ValueError(f"texts of at most {length} parts")
        if state["form"] == "ngrams" and (type(state["buckets"]) is not int or len(self._idf) != state["buckets"] or not len(self._idf)):
            raise ValueError(f"{len(self._idf)} weights for {state['buckets']} buckets")
        if "known" in state and len(base64.b64decode(state["known"], validate=True)) != -(-len(self._idf) // 8):
            raise ValueError(f"known n-grams that are not one bit for each of {state['buckets']} buckets")
        if "given" in state:
            check_given(state["tokenizer"])
            self._tokenizer.get_vocab_size()
        elif state["form"] == "tokens":
            trained = [_without_words(_train_tokenizer([], 257, pattern)) for pattern in (_PRETOKENS, _PRETOKENS_OF_POINTS)]
            if _without_words(self._tokenizer) not in trained:
                raise ValueError("a tokenizer that training cannot have made")
            numbers = sorted(self._tokenizer.get_vocab().values())
            if type(state["vocabulary"]) is not int or state["vocabulary"] != len(numbers) or numbers != list(range(len(numbers))):
                raise ValueError(f"a tokenizer whose {len(numbers):,} subwords are not numbered from 0, or not as many as stated")

    def read(self, cell: Cell) -> Sample:
        """Return ``ids`` int32 (n,), from 1 up, and for ``ngrams`` also ``weights`` float32 (n,) of Euclidean length 1."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> str:
        """Return the text of a cell after Unicode normalisation."""
        if _unreadable(cell):
            raise Fault(f"found {called(cell)}; expected text")
        form: Literal["NFKC"] | None = None if "given" in self.state else "NFKC"
        return text_in(cell, self.config.max_chars, self.config.lists, self._by_clusters, form)

    def sample_of(self, text: str) -> Sample:
        """Return the n-grams or the tokens of a text."""
        if self.state["form"] == "tokens":
            ids = np.array(ids_of(self._tokenizer, text)[: self.state["max_tokens"]], np.int32)
            return {"ids": ids + 1 if len(ids) else np.ones(1, np.int32)}
        ids, weights = weighted(text, self.state["buckets"], self._idf, self.state["max_ngrams"], self._by_clusters)
        return {"ids": ids, "weights": weights}

    @property
    def _by_clusters(self) -> bool:
        """Whether a letter is a character with its marks, and not a single code point as in earlier versions."""
        return "letters" in self.state

    @cached_property
    def _idf(self) -> np.ndarray:
        return idf_of(self.state["idf"])

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(json.dumps(self.state["tokenizer"]))
            if "given" in self.state:
                tokenizer.enable_truncation(self.state["max_tokens"])  # special tokens at the end are kept
            return tokenizer
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"a tokenizer that cannot be read ({str(error)[:100]})") from None

    def blank(self) -> Sample:
        """Return a sample without n-grams, or with one unknown token."""
        if self.state["form"] == "tokens":
            return {"ids": np.ones(1, np.int32)}
        return {"ids": np.zeros(1, np.int32), "weights": np.zeros(1, np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """Return the number of n-grams or tokens, rounded up to a power of two."""
        largest = self.state["max_tokens"] if self.state["form"] == "tokens" else self.state["max_ngrams"]
        return (bucket(len(sample["ids"]), 16 if self.state["form"] == "tokens" else 64, largest),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``ids`` int64 (U, L), 0 = padding, and for ``ngrams`` also ``weights`` float32 (U, L)."""
        (length,) = geometry
        values = {"ids": torch.from_numpy(padded(samples, "ids", length)).long()}
        if "weights" in samples[0]:
            values["weights"] = torch.from_numpy(padded(samples, "weights", length))
        return values

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of the text, before it is divided into n-grams or tokens."""
        return of_text(words_in)

    def parts(self, cell: Cell, sample: Sample) -> Parts | None:
        """Return the words as parts; letters in scripts without spaces; the texts of a list. More than 64 parts become 64 runs of parts."""
        text = self.parsed(cell)
        spans = spans_of(text) if BREAK in text else words_in(text)
        if not spans:
            return None
        runs = [spans[part[0]][:1] + spans[part[-1]][1:] for part in np.array_split(np.arange(len(spans)), min(len(spans), _MOST_PARTS))]
        rests = [text[:start] + text[end:] for start, end in runs]
        edges = [0, *(edge for run in runs for edge in run), len(text)]
        return Parts(
            [text[start:end].replace(BREAK, ", ") for start, end in runs],
            [None if self.is_missing(rest) else self.read(rest) for rest in rests],
            between=[text[start:end].replace(BREAK, ", ") for start, end in zip(edges[::2], edges[1::2], strict=True)],
        )

    def is_missing(self, cell: Cell) -> bool:
        """Whether the cell is empty, or a list without any text."""
        return is_empty(cell) or (isinstance(cell, list) and tags_of(cell) == [])

    def show(self, cell: Cell) -> str:
        """Return the text, or the texts of a list."""
        tags = tags_of(cell) if isinstance(cell, list) else None
        return super().show(cell if tags is None else ", ".join(tags))

    def recipe(self) -> dict[str, Any]:
        """Return the operation "text", with the tokenizer in the format of its library, or the facts of n-grams."""
        state, is_given = self.state, "given" in self.state
        facts = {"operation": "text", "padded": ["ids"], "pad": 0, "max_chars": self.config.max_chars, "lists": self.config.lists,
                 "by_clusters": self._by_clusters, "normalisation": None if is_given else "NFKC"}  # fmt: skip
        if state["form"] == "ngrams":
            return {
                **facts,
                "padded": ["ids", "weights"],
                "lengths": [64, state["max_ngrams"]],
                "max_ngrams": state["max_ngrams"],
                "idf": state["idf"],
            }
        tokenizer = json.loads(self._tokenizer.to_str())
        return {**facts, "lengths": [16, state["max_tokens"]], "max_tokens": state["max_tokens"], "tokenizer": tokenizer}

    def cost(self) -> float:
        """Return the approximate cost, which is small compared to that of a picture."""
        return 1e4 if self.state["form"] == "ngrams" else 1e6

    def describe(self) -> str:
        """Return the number of subwords or of buckets, in words."""
        if self.state["form"] == "tokens":
            return Sentence("describe.subwords", subwords=self._tokenizer.get_vocab_size(), most=self.state["max_tokens"])
        return Sentence("describe.ngrams", buckets=self.state["buckets"])


def _unreadable(cell: Cell) -> bool:
    parts = cell if isinstance(cell, tuple) else (cell,)
    return any(isinstance(part, _NO_TEXT) or (isinstance(part, list) and tags_of(part) is None) for part in parts)


def _without_words(tokenizer: Any) -> Any:
    """Return the JSON data of a tokenizer without its vocabulary. It is the same for all tokenizers that training makes."""
    tree = json.loads(tokenizer.to_str())
    del tree["model"]["vocab"], tree["model"]["merges"]
    return tree


def _train_tokenizer(texts: Iterable[str], vocabulary: int, pattern: str = _PRETOKENS) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
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
