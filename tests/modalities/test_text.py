"""Tests of text in any language: normalised, and hashed or divided into subwords in the same way in every process."""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import subprocess
import sys
import unicodedata
from hashlib import sha256
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from builders import ROOT
from builders.ngrams import grams_of
from builders.texts import TEXTS, TOKENS, fitted
from polymodal.config import validate
from polymodal.errors import ConfigError, Fault
from polymodal.modalities import Roots, Text, TextConfig, is_empty
from polymodal.modalities.graphemes import clusters, cut
from polymodal.modalities.ngrams import hashes_of, words_in
from polymodal.modalities.tags import BREAK
from polymodal.modalities.text import _PRETOKENS_OF_POINTS, _train_tokenizer
from polymodal.modalities.text_content import normalise, weighted
from polymodal.modalities.text_corruption import of_text

NGRAMS = {"buckets": 4096, "max_ngrams": 64}


def same(one: Any, two: Any) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def test_chinese_gives_characters_pairs_and_triples() -> None:
    assert list(grams_of("红色花")) == ["红", "色", "花", "红色", "色花", "红色花"]


def test_words_give_themselves_their_pairs_and_their_inner_letters() -> None:
    grams = list(grams_of("Red ox!"))
    assert [gram for gram in grams if not gram.startswith("#")] == ["red", "ox", "red ox", "!", "ox !"]
    assert {"#<re", "#red", "#ed>", "#<red", "#red>", "#<ox>"} <= set(grams)
    assert "Red" not in grams


def test_mixed_scripts_are_cut_where_they_meet() -> None:
    grams = list(grams_of("红色apple手机"))
    assert {"红色", "apple", "手机", "色 apple"} <= set(grams)
    assert not any("a" in gram and "红" in gram for gram in grams)


@pytest.mark.parametrize("needs", [NGRAMS, TOKENS])
def test_full_width_and_half_width_are_one(needs: dict[str, int]) -> None:
    text = fitted(needs)
    assert same(text.read("ｒｅｄ ａｐｐｌｅ４２"), text.read("red apple42"))
    assert same(text.read("e\u0301t\u00e9"), text.read("\u00e9te\u0301"))
    assert same(text.read("ﬁne"), text.read("fine"))
    assert not same(text.read("red"), text.read("green"))


@pytest.mark.parametrize("needs", [NGRAMS, TOKENS])
@pytest.mark.parametrize(
    "cell", ["\ud800 lone", "a\0b", "\0", "\udfff", "x" * 100_000, "🙂" * 3000, "\u202e\u200b", 3.5, 7, True, "﷽" * 1000]
)
def test_hostile_text_is_read_and_bounded(needs: dict[str, int], cell: Any) -> None:
    text = fitted(needs)
    sample = text.read(cell)
    assert len(sample["ids"]) <= (64 if "buckets" in needs else 32)
    assert (sample["ids"] >= 0).all()
    for values in sample.values():
        assert np.isfinite(values).all()
    text.collate([sample, text.blank()], text.geometry(sample))


def test_what_unicode_cannot_write_goes_and_nul_is_a_space() -> None:
    assert normalise("a\ud800b\0c") == "ab c"
    assert normalise("x" * 50, 10) == "x" * 10


def test_nan_is_a_word_and_only_blank_text_is_missing() -> None:
    text = fitted(NGRAMS)
    assert not text.is_missing("nan")
    assert not text.is_missing("NA")
    for cell in ("", "  \t\n", "\u3000", None, float("nan"), np.float32("nan"), np.datetime64("NaT")):
        assert text.is_missing(cell), cell
    assert not same(text.read("nan"), text.blank())
    assert is_empty(())


@pytest.mark.parametrize("cell", [b"bytes", [["a"]], {"a": 1}, ("fine", b"bytes")])
def test_what_is_no_text_is_a_fault(cell: Any) -> None:
    with pytest.raises(Fault, match="expected text"):
        fitted(NGRAMS).read(cell)


def test_several_columns_read_as_one_text() -> None:
    text = fitted(NGRAMS, [("red", "apple")], column=None, columns=["a", "b"])
    assert same(text.read(("red", "apple")), text.read("red\napple"))
    assert same(text.read(("red", None)), text.read("red"))
    assert same(text.read((float("nan"), "apple")), text.read("apple"))
    assert text.is_missing((None, " "))
    assert not text.is_missing((None, "x"))


def test_a_text_field_names_one_column_or_several() -> None:
    for tree in ({"kind": "text"}, {"kind": "text", "column": "a", "columns": ["b"]}, {"kind": "text", "columns": []}):
        with pytest.raises(ConfigError, match="give either 'column' or 'columns'"):
            validate(TextConfig, tree)


def test_weights_are_tf_idf_of_length_one() -> None:
    cells = ["aa bb"] * 9 + ["aa cc"]
    text = fitted({"buckets": 2**20, "max_ngrams": 100}, cells)
    sample = text.read("aa aa cc")
    assert float((sample["weights"] ** 2).sum()) == pytest.approx(1.0, abs=1e-6)
    weight = dict(zip(sample["ids"].tolist(), sample["weights"].tolist(), strict=True))
    idf = np.frombuffer(base64.b64decode(text.state["idf"]), np.uint8) / 16
    ids = {gram: int(text.read(gram)["ids"][0]) for gram in ("！", "？")}
    assert len(ids) == 2
    from zlib import crc32

    aa, cc = crc32(b"aa") % 2**20, crc32(b"cc") % 2**20
    assert idf[aa] == pytest.approx(1.0, abs=1 / 32), "in every row: log((1 + n) / (1 + n)) + 1"
    assert idf[cc] == pytest.approx(np.log(11 / 2) + 1, abs=1 / 32)
    assert weight[aa + 1] / weight[cc + 1] == pytest.approx((1 + np.log(2)) * idf[aa] / idf[cc], rel=1e-5)


def test_only_the_weightiest_ngrams_are_kept_in_order() -> None:
    text = fitted({"buckets": 4096, "max_ngrams": 5}, ["common " + word for word in ("ant", "bee", "cat")])
    sample = text.read("common ant bee cat dog elk")
    assert len(sample["ids"]) == 5
    assert (np.diff(sample["ids"]) > 0).all()


def test_the_geometry_is_a_power_of_two_and_a_function_of_the_sample() -> None:
    text = fitted({"buckets": 4096, "max_ngrams": 200})
    lengths = {text.geometry({"ids": np.zeros(n, np.int32)})[0] for n in (1, 64, 65, 128, 129, 200)}
    assert lengths == {64, 128, 200}
    tokens = fitted(TOKENS)
    assert [tokens.geometry({"ids": np.zeros(n, np.int32)}) for n in (1, 16, 17, 32)] == [(16,), (16,), (32,), (32,)]
    values = tokens.collate([{"ids": np.array([3, 4], np.int32)}, tokens.blank()], (16,))
    assert values["ids"].tolist() == [[3, 4] + [0] * 14, [1] + [0] * 15]


TRAIN = """
import json, sys
sys.path.insert(0, {tests!r})
from builders.texts import TEXTS, TOKENS, fitted
print(json.dumps(fitted(TOKENS, TEXTS * 5).state, sort_keys=True))
"""


def test_a_tokenizer_trained_in_two_processes_is_the_same() -> None:
    code = TRAIN.format(tests=str(ROOT / "tests"))
    states = [
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert states[0] == states[1]
    state = json.loads(states[0])
    assert 256 < state["vocabulary"] <= TOKENS["vocabulary"]
    assert state == fitted(TOKENS, TEXTS * 5).state


def test_a_tokenizer_reads_any_byte_and_survives_its_json() -> None:
    text = fitted(TOKENS, TEXTS * 5)
    again = Text(text.config, json.loads(json.dumps(text.state)), Roots())
    for cell in ("unseen Ωμέγα", "红色的苹果", "🙂", "   "):
        sample = text.read(cell)
        assert same(sample, again.read(cell))
        assert sample["ids"].min() >= 1
        assert sample["ids"].max() <= text.state["vocabulary"]
    assert len(text.read("红色的苹果很好吃")["ids"]) < len("红色的苹果很好吃".encode()), "it learned characters, not bytes"


def test_fitting_on_nothing_still_reads() -> None:
    for needs in (NGRAMS, TOKENS):
        text = fitted(needs, [])
        text.collate([text.read("anything at all")], (64,))
        text.describe()


def test_recognition_tells_text_from_codes_and_categories() -> None:
    words = ["apple", "river", "stone", "cloud", "music"]
    phrases = [f"{a} {b} {c} number {at}" for at, (a, b, c) in enumerate([(a, b, c) for a in words for b in words for c in words])]
    assert Text.recognise(phrases, Roots()).confidence >= 0.8
    assert Text.recognise(["north", "south"] * 50, Roots()).confidence < 0.5
    assert Text.recognise([f"第{at}个问题：图中有红色的圆形吗" for at in range(60)], Roots()).confidence >= 0.8
    assert Text.recognise([1, 2, 3], Roots()).confidence == 0
    assert Text.recognise(["12", "13"] * 20, Roots()).confidence < 0.5


# -- letters and their marks ---------------------------------------------------------------------------------------------

MARKED = {
    "हिन्दी भाषा सुन्दर है": ["हिन्दी", "भाषा", "सुन्दर", "है"],
    "தமிழ் மொழி": ["தமிழ்", "மொழி"],
    "বাংলা ভাষা, ১২": ["বাংলা", "ভাষা", ",", "১২"],
    "سَلَامٌ عَلَيْكُم": ["سَلَامٌ", "عَلَيْكُم"],
    "שָׁלוֹם עֲלֵיכֶם": ["שָׁלוֹם", "עֲלֵיכֶם"],
    "می\u200cخواهم بروم": ["می\u200cخواهم", "بروم"],
    "İstanbul güzel": ["İstanbul", "güzel"],
    "Tie\u0302\u0301ng Vie\u0323\u0302t": ["Tiếng", "Việt"],
    "a\u0338b": ["a\u0338b"],
    "ไทย น้ำ": ["ไ", "ท", "ย", "น้ํ", "า"],
    "မြန်မာ": ["မြ", "န်", "မာ"],
    "ខ្មែរ": ["ខ្", "មែ", "រ"],
    "ລາວ": ["ລ", "າ", "ວ"],
    "か\u309a字": ["か\u309a", "字"],
    "ok 👍🏽 👨\u200d👩\u200d👧 🇩🇪🇫🇷 ❤\ufe0f 1\ufe0f\u20e3": ["ok", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "🇫🇷", "❤\ufe0f", "1\ufe0f\u20e3"],
    "\u0301 x \u0302": ["x"],
}


@pytest.mark.parametrize("text", MARKED)
def test_a_word_is_its_letters_with_their_marks(text: str) -> None:
    normalised = normalise(text)
    assert [normalised[start:end] for start, end in words_in(normalised)] == MARKED[text]


def test_words_with_marks_are_ngrams_and_their_inner_runs_are_of_whole_letters() -> None:
    assert grams_of("हिन्दी है") == ["हिन्दी", "#<हिन्", "#हिन्दी", "#न्दी>", "#<हिन्दी", "#हिन्दी>", "है", "हिन्दी है", "#<है>"]
    assert grams_of("İyi")[:3] == ["i̇yi", "#<i̇y", "#i̇yi"]
    assert "می\u200cخواهم" in grams_of("می\u200cخواهم")
    assert grams_of("ខ្មែរ") == ["ខ្", "មែ", "រ", "ខ្មែ", "មែរ", "ខ្មែរ"]
    assert {"ไทย", "ภาษา"} <= set(grams_of("ภาษาไทย"))
    assert grams_of("👍🏽 ok")[:3] == ["👍🏽", "👍", "ok"], "a thumb of any skin is a thumb"
    assert grams_of("🇩🇪") == ["🇩🇪"]


def test_no_part_begins_with_a_mark_or_leaves_one_behind_whatever_the_text() -> None:
    rng = random.Random(0)
    signs = ["\u093f", "\u0301", "\u200d", "\u3099", "\u0e49", "\ufe0f", "👍", "🏽", "🇩", "क", "น", "红", "a", "_", ",", " ", "7", "\n"]
    for _ in range(2_000):
        text = "".join(rng.choice(signs) for _ in range(12))
        spans = words_in(text)
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
        for start, end in spans:
            assert unicodedata.category(text[start])[0] != "M", ascii(text)
            assert end == len(text) or unicodedata.category(text[end])[0] != "M", ascii(text)
        assert "".join(clusters(text)) == text
        hashes_of(text, 64)


def test_the_hashes_are_those_of_the_ngrams_whatever_the_text() -> None:
    rng = random.Random(1)
    signs = [
        "\u093f",
        "\u0301",
        "\u200d",
        "\u3099",
        "\u0e49",
        "\ufe0f",
        "👍",
        "🏽",
        "🇩",
        "क",
        "น",
        "红",
        "色",
        "か",
        "İ",
        "ß",
        "a",
        "Bc",
        "_",
    ]
    signs += [",", " ", " ", "7", "\n", BREAK, "x" * 70]
    for at in range(2_000):
        text = "".join(rng.choice(signs) for _ in range(1 + at % 40))
        for by_clusters in (True, False):
            codes = [crc32(gram.encode()) % 997 for gram in grams_of(text, by_clusters)]
            assert sorted(hashes_of(text, 997, by_clusters).tolist()) == sorted(codes), ascii(text)


def test_the_n_grams_of_texts_in_ascii_are_those_of_any_text() -> None:
    rng = random.Random(0)
    points = [chr(point) for point in range(1, 128)] + list("aA1 ") * 20
    for at in range(1_000):
        text = "".join(rng.choice(points) for _ in range(1 + at % 40))
        codes = [crc32(gram.encode()) % 997 for gram in grams_of(text, True)]
        assert sorted(hashes_of(text, 997).tolist()) == sorted(codes), ascii(text)


@pytest.mark.parametrize(
    ("text", "count", "digest"),
    [
        ("It's 42% off: the red Café!", 50, "41926ddddcc667c8"),
        ("红色的苹果很好吃，only 12元。", 40, "e2bdad3e617c40fa"),
        ("Straße, naïve_word; e-mail me@x.org 🙂", 75, "b1dc6875e890b9c4"),
    ],
)
def test_text_without_marks_gives_the_ngrams_that_saved_models_hash(text: str, count: int, digest: str) -> None:
    for by_clusters in (True, False):
        grams = grams_of(normalise(text), by_clusters)
        assert (len(grams), sha256("\n".join(grams).encode()).hexdigest()[:16]) == (count, digest)


def test_a_tokenizer_gives_english_and_chinese_the_tokens_it_gave() -> None:
    for pattern in ((), (_PRETOKENS_OF_POINTS,)):
        tokenizer = _train_tokenizer(TEXTS * 5, 400, *pattern)
        assert tokenizer.encode("the red river, 红色的苹果 42!").ids == [262, 264, 265, 11, 220, 316, 286, 252, 250, 299, 0]


def test_subwords_learn_words_with_marks_whole() -> None:
    for text, tokens in (("हिन्दी भाषा सुन्दर है", 4), ("the fine hindi language", 4), ("سَلَامٌ عَلَيْكُم", 2), ("ไทย", 1)):
        assert len(_train_tokenizer([text] * 50, 400).encode(text).ids) == tokens


def test_a_state_of_old_reads_as_it_did() -> None:
    text = fitted({"buckets": 2**20, "max_ngrams": 64}, ["हिन्दी भाषा"])
    assert text.state["letters"] == "clusters"
    old = Text(text.config, {name: value for name, value in text.state.items() if name != "letters"}, Roots())
    old.check()
    assert len(old.read("हिन्दी")["ids"]) == 14, "letters and marks apart: ह, ि, न, ्, द, ी, their pairs, and each letter framed"
    assert len(text.read("हिन्दी")["ids"]) == 6
    assert same(old.read("the red apple, 红色"), text.read("the red apple, 红色"))
    assert grams_of("か\u309a字", by_clusters=False) == ["か", "\u309a", "字", "か\u309a", "\u309a字", "か\u309a字"]
    for config in (TextConfig(column="title", max_chars=3), TextConfig(column=None, columns=["a", "b"], max_chars=3)):
        cell = "कक्ष" if config.column else ("कक्ष", None)
        assert Text(config, old.state, Roots()).parsed(cell) == "कक्"
    assert Text(TextConfig(column="title", max_chars=2), old.state, Roots()).parsed("कक्ष") == "कक"
    assert Text(TextConfig(column="title", max_chars=2), text.state, Roots()).parsed("कक्ष") == "क"


def test_a_tokenizer_of_old_is_read_with_the_pattern_that_it_holds() -> None:
    text = fitted(TOKENS, TEXTS * 5)
    tokenizer = _train_tokenizer(["हिन्दी भाषा"] * 20, 400, _PRETOKENS_OF_POINTS)
    state = {"form": "tokens", "tokenizer": json.loads(tokenizer.to_str()), "vocabulary": tokenizer.get_vocab_size(), "max_tokens": 32}
    old = Text(text.config, state, Roots())
    old.check()
    assert (old.read("हिन्दी")["ids"] - 1).tolist() == tokenizer.encode("हिन्दी").ids
    assert len(old.read("हिन्दी")["ids"]) == 6
    foreign = json.loads(json.dumps(state))
    foreign["tokenizer"]["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+|\S+"
    with pytest.raises(ValueError, match="a tokenizer that training cannot have made"):
        Text(text.config, foreign, Roots()).check()


@pytest.mark.parametrize("letters", ["points", None, True, 3, ["clusters"]])
def test_a_state_with_other_letters_is_refused(letters: Any) -> None:
    text = fitted(NGRAMS)
    with pytest.raises(ValueError, match="expected 'clusters'"):
        Text(text.config, {**text.state, "letters": letters}, Roots()).check()


def test_a_cut_parts_no_letter_from_its_marks() -> None:
    assert [cut("aक्षb", most) for most in (1, 2, 3, 4, 9)] == ["a", "a", "aक्", "aक्ष", "aक्षb"]
    assert cut("x👨\u200d👩y", 3) == cut("x👨\u200d👩y", 2) == "x"
    assert cut("a" + "\u0301" * 50, 10) == "a" + "\u0301" * 9, "a letter that is longer than the bound is cut"
    assert normalise("हिन्दी", 3) == "हि"
    assert normalise("e\u0301te\u0301", 4) == "\u00e9t", "a decomposed letter is composed or gone"
    assert fitted(NGRAMS, max_chars=4).parsed("e\u0301te\u0301") == "\u00e9t"


def test_misprints_take_letters_with_their_marks() -> None:
    text = "हिन्दी भाषा सुन्दर है और किताब विद्यालय में है"
    letters = sorted(clusters(text))
    typos, ocr, dropped = (of_text(words_in)[name] for name in ("typos", "ocr", "dropped"))
    swapped = [str(typos(text, 5, np.random.default_rng(seed))) for seed in range(20)]
    assert all(sorted(clusters(one)) == letters for one in swapped), "no Latin letter: neighbours are exchanged, whole"
    assert len(set(swapped)) > 10
    assert {str(dropped("سَلَامٌ عَلَيْكُم", 5, np.random.default_rng(seed))).strip() for seed in range(40)} == {
        "سَلَامٌ عَلَيْكُم", "سَلَامٌ", "عَلَيْكُم", "None",
    }  # fmt: skip
    read = str(ocr("سَلَامٌ" * 20, 5, np.random.default_rng(0)))
    assert {part for part in read if not unicodedata.combining(part)} == set("سلام")
    assert len(read) < len("سَلَامٌ" * 20), "a scanner loses points"
    assert ocr("कि की" * 5, 5, np.random.default_rng(0)) == "कि की" * 5, "a vowel sign is no accent"


def test_what_a_misprint_of_plain_text_does_is_what_it_did() -> None:
    text, found = "the red apple and the burning cold window, 价格己已", {}
    for name, misprint in of_text(words_in).items():
        found[name] = misprint(text, 3, np.random.default_rng(5))
    assert found == {
        "typos": "the ed paple and thhe buurning cild window, 价格己已",
        "dropped": "the red apple   burning cold  价格已",
        "ocr": "the red oppie and tbe bvrnlng cald winclow, 价格己已",
    }


def test_an_explanation_of_hindi_names_words() -> None:
    text = fitted(NGRAMS, ["हिन्दी भाषा सुन्दर है"])
    cell = "हिन्दी भाषा, 👍🏽"
    parts = text.parts(cell, text.read(cell))
    assert parts is not None
    assert list(parts.names) == ["हिन्दी", "भाषा", ",", "👍🏽"]
    assert list(parts.between) == ["", " ", "", " ", ""]
    assert text.parts("\u0301 \u0302", text.blank()) is None


def test_recognition_counts_words_with_marks_as_words() -> None:
    rng = random.Random(1)
    words = ["हिन्दी", "भाषा", "सुन्दर", "किताब", "पुस्तक", "विद्यालय", "गाड़ी", "मोटर", "दुकान"]
    assert Text.recognise([" ".join(rng.sample(words, 4)) for _ in range(60)], Roots()).confidence >= 0.8
    assert Text.recognise(["हिन्दी", "தமிழ்"] * 30, Roots()).confidence < 0.5
    assert Text.recognise([f"ภาษาไทยสวยงามมากข้อ{at}" for at in range(60)], Roots()).confidence >= 0.8


@pytest.mark.parametrize("text", [*TEXTS, "a", "a a a a", "ox " * 50, "红红红"])
def test_the_weights_of_ngrams_are_those_of_numpy_unique(text: str) -> None:
    idf = np.linspace(0.5, 8, 64)
    hashes, counts = np.unique(hashes_of(text, 64), return_counts=True)
    ids, weights = weighted(text, 64, idf, most=1_000)
    if not len(hashes):
        assert (ids.tolist(), weights.tolist()) == ([0], [0.0])
        return
    expected = (1 + np.log(counts)) * idf[hashes]
    assert ids.tolist() == (hashes + 1).tolist()
    assert weights.tolist() == (expected / np.sqrt((expected**2).sum())).astype(np.float32).tolist()
