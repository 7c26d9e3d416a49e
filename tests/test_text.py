"""Text: what it is made of in any language, normalised, hashed or cut into subwords the same in every process."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from polymodal.config import validate
from polymodal.errors import ConfigError, Fault
from polymodal.modalities import Roots, Text, TextConfig, is_empty
from polymodal.modalities.text import _grams, normalise

NGRAMS = {"buckets": 4096, "max_ngrams": 64}
TOKENS = {"vocabulary": 400, "max_tokens": 32}
TEXTS = ["the red apple", "a green river", "红色的苹果很好吃", "The RED window", "绿色 river と 空", "nan", "silver stone 42"]


def fitted(needs: dict[str, int], cells: list[Any] | None = None, **settings: Any) -> Text:
    config = TextConfig(**({"column": "title"} | settings))
    form: Any = "ngrams" if "buckets" in needs else "tokens"
    return Text(config, Text.fit(config, TEXTS if cells is None else cells, form, needs, Roots()), Roots())


def same(one: Any, two: Any) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def test_chinese_gives_characters_pairs_and_triples() -> None:
    assert list(_grams("红色花")) == ["红", "色", "花", "红色", "色花", "红色花"]


def test_words_give_themselves_their_pairs_and_their_inner_letters() -> None:
    grams = list(_grams("Red ox!"))
    assert [gram for gram in grams if not gram.startswith("#")] == ["red", "ox", "red ox", "!", "ox !"]
    assert {"#<re", "#red", "#ed>", "#<red", "#red>", "#<ox>"} <= set(grams)
    assert "Red" not in grams


def test_mixed_scripts_are_cut_where_they_meet() -> None:
    grams = list(_grams("红色apple手机"))
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
from test_text import TEXTS, TOKENS, fitted
print(json.dumps(fitted(TOKENS, TEXTS * 5).state, sort_keys=True))
"""


def test_a_tokenizer_trained_in_two_processes_is_the_same() -> None:
    from pathlib import Path

    code = TRAIN.format(tests=str(Path(__file__).parent))
    states = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed, "PATH": ""}
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
