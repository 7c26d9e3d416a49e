"""Tests of the encoding of files: detected by the byte order mark, zero bytes or content, given by the caller, or guessed with a warning."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.sources import cells
from polymodal.cli.main import main
from polymodal.data.sources import garbled, open_source

ROWS = "标题,price\n红色的花,1\n绿色的草,2\n"


def written(folder: Path, text: str, encoding: str, name: str = "t.csv", before: bytes = b"") -> Path:
    path = folder / name
    path.write_bytes(before + text.encode(encoding))
    return path


def told(table: Any, **settings: Any) -> tuple[list[tuple[Any, ...]], list[str]]:
    """The cells of a table, header first, and the warnings, all of which point at this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = open_source(table, **settings)
    assert all(one.filename == __file__ for one in caught)
    return [tuple(source.columns), *cells(source)], [str(one.message) for one in caught]


# -- unmistakable ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [ROWS, "a,b\n1,2\n3,4\n", "a,b\r\né,€\r\n"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)  # fmt: skip
def test_unicode_is_read_without_a_word(tmp_path: Path, text: str, encoding: str) -> None:
    found, said = told(written(tmp_path, text, encoding))
    assert found == [tuple(line.split(",")) for line in text.split()]
    assert said == []


@pytest.mark.parametrize(("mark", "encoding"), [(b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"), (b"\0\0\xfe\xff", "utf-32-be")])
def test_a_mark_says_the_encoding(tmp_path: Path, mark: bytes, encoding: str) -> None:
    assert told(written(tmp_path, ROWS, encoding, before=mark)) == ([("标题", "price"), ("红色的花", "1"), ("绿色的草", "2")], [])


def test_lines_of_json_by_their_mark(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        path = written(tmp_path, '{"a": "红"}\n{"a": "x"}\n', encoding, "t.jsonl")
        assert told(path) == ([("a",), ("红",), ("x",)], [])
        written(tmp_path, '[{"a": "红"}, {"a": "x"}]', encoding, "t.json")
        assert told(tmp_path / "t.json") == ([("a",), ("红",), ("x",)], [])
    path = written(tmp_path, '{"a": "红色"}\n', "gb18030", "t.jsonl")
    with pytest.raises(pm.DataError, match="not UTF-8 text; expected UTF-8; name its encoding: encoding=gb18030"):
        open_source(path)
    assert told(path, encoding="gb18030") == ([("a",), ("红色",)], [])


# -- guessed --------------------------------------------------------------------------------------------------------------

GUESSED = {
    "gb18030": ["标题,价格\n红色的花,2\n", "性别\n男\n女\n", "name,city\nZhang,北京\nLi,上海\n", "品名,规格\n螺丝,M5×20\n垫圈,φ8\n",
                "姓名\n王婷婷\n李媛媛\n", "评论\n手机不错，屏幕清晰，电池耐用\n", "a\n是\n否\n", "a\n联通\n移动\n"],
    "cp950": ["標題,價格\n紅色的花,2\n", "性別\n男\n女\n", "內容\n我們在台北工作，很高興認識你。\n"],
    "cp932": ["タイトル,値段\n赤い花,2\n", "名前\n東京\n大阪\n", "内容\nこれは日本語のテキストです。\n"],
    "cp949": ["제목,가격\n빨간 꽃,2\n", "이름\n서울\n부산\n", "내용\n안녕하세요 반갑습니다.\n"],
    "cp1252": ["name,price\ncafé,2\nnaïve,3\n", "stadt\nMünchen\nKöln\nZürich\n", "p\n5 €\n7 €\n", "q\nit’s “fine” – ok\n", "t\n20 °C\n",
               "a\ngarçon élève à la fenêtre\n", "a\nSão Paulo\nAção\n", "a\nStraße\n", "a\nÉCOLE ÉTÉ\n", "v\n½\n"],
    "cp1250": ["miasto\nŁódź\nKraków\nGdańsk\n", "a\nčeský žluťoučký kůň\n"],
    "cp1251": ["имя,город\nИван,Москва\nАнна,Казань\n", "текст\nПривет! Как дела? Всё хорошо.\n", "ответ\nда\nнет\n", "ОТВЕТ\nДА\nНЕТ\n"],
}  # fmt: skip


@pytest.mark.parametrize(("encoding", "text"), [(encoding, text) for encoding, texts in GUESSED.items() for text in texts])
def test_what_is_not_unicode_is_told_by_its_characters(tmp_path: Path, encoding: str, text: str) -> None:
    path = written(tmp_path, text, encoding)
    source: Any = None
    with pytest.warns(UserWarning, match=r"t.csv: not UTF-8 text; read as .*; if that is wrong, name its encoding: encoding="):
        source = open_source(path)
    body = path.read_bytes()
    assert body.decode(source.charset.encoding) == body.decode(encoding)


def test_a_guess_shows_cells_and_how_to_say_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS, "gb18030")
    found, (said,) = told(path)
    assert found[1] == ("红色的花", "1")
    assert said.endswith(
        "t.csv: not UTF-8 text; read as gb18030, as in '标题', '红色的花', '绿色的草'; if that is wrong, name its encoding: "
        "encoding=gb18030 (Chinese Windows), cp1252 (Western Windows), ... (--encoding), or write it again as UTF-8"
    )
    assert told(path, encoding="gb18030") == (found, [])


def test_a_guess_looks_past_a_long_beginning_that_is_ascii(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 600_000 + "红色的花,1\n".encode("gb18030"))
    with pytest.warns(UserWarning, match="read as gb18030, as in '红色的花'"):
        source = open_source(path)
    assert source.rows == 600_001


def test_one_broken_line_of_utf_8_is_no_other_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("标题,b\n".encode() + "红色,1\n".encode() * 20 + b"\xff\xfe,2\n")
    with pytest.raises(pm.DataError, match=r"t.csv: some text is not UTF-8, such as '\\\\xff\\\\xfe,2', though most is; .*encoding="):
        open_source(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + bytes(range(128, 256)) * 4 + b",1\n")
    with pytest.raises(pm.DataError, match="nor in another encoding that can be detected"):
        open_source(path)


# -- said -----------------------------------------------------------------------------------------------------------------


def test_an_encoding_that_is_said_is_checked(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS, "gb18030")
    for wrong in ("no-such", "base64", "rot13", "idna", "undefined"):
        with pytest.raises(pm.DataError, match=f"encoding '{wrong}' is not known"):
            open_source(path, encoding=wrong)
    with pytest.raises(pm.DataError, match=r"t.csv: not utf-8 text; expected one encoding throughout"):
        open_source(path, encoding="utf-8")
    marked = written(tmp_path, ROWS, "utf-8-sig", "marked.csv")
    with pytest.raises(pm.DataError, match="begins with the byte order mark of UTF-8, but encoding='gb18030'; leave the encoding out"):
        open_source(marked, encoding="gb18030")
    assert told(marked, encoding="utf-8")[0][0] == ("标题", "price")
    found, (said,) = told(written(tmp_path, ROWS, "utf-8", "u.csv"), encoding="gb18030")
    assert found[1] == ("绾㈣壊鐨勮姳", "1")
    assert "(which may have been '红色的花'); name another encoding of the file" in said


def test_a_fallback_is_for_what_is_not_unicode(tmp_path: Path) -> None:
    assert told(written(tmp_path, ROWS, "gb18030"), fallback="gb18030")[1] == []
    assert told(written(tmp_path, ROWS, "utf-8"), fallback="cp1252")[0][1] == ("红色的花", "1")
    assert told(written(tmp_path, "a\nŁódź\n", "cp1250"), fallback="cp1252")[0][1] == ("£ódŸ",)


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pm.Predictor, Path]:
    """A folder with ``train.csv`` in GB 18030, a model of it, and its run."""
    folder = tmp_path_factory.mktemp("chinese")
    frame = pd.DataFrame({"标题": [["红色的花", "绿色的草"][at % 2] for at in range(60)], "类": [["花", "草"][at % 2] for at in range(60)]})
    frame.to_csv(folder / "train.csv", index=False, encoding="gb18030")
    settings = ("training.epochs=6", "training.baselines=false", "model.width=8", "data.split.kind=random", "fields.标题.kind=text")
    model = pm.train(folder / "train.csv", *settings, target="类", columns={"标题": "text"}, encoding="gb18030", out=folder / "run")
    return folder, model, folder / "run"


def test_an_encoding_belongs_to_its_file_and_not_to_the_model(chinese: tuple[Path, pm.Predictor, Path]) -> None:
    folder, model, run = chinese
    assert model.bundle.experiment.data.encoding == "gb18030"
    frame = pd.read_csv(folder / "train.csv", encoding="gb18030")
    expected = model.predict_proba(frame)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        frame.to_csv(folder / "other.csv", index=False, encoding=encoding)
        for asked in (model, pm.load(run)):
            assert (asked.predict_proba(folder / "other.csv") == expected).all()
    with pytest.warns(UserWarning, match="read as gb18030") as caught:
        assert (model.predict_proba(folder / "train.csv") == expected).all()
    assert caught[0].filename == __file__
    assert (model.predict_proba(folder / "train.csv", encoding="gb18030") == expected).all()
    assert (model.predict(folder / "train.csv", encoding="gb18030") == model.predict(frame)).all()
    assert (model.embed(folder / "train.csv", encoding="gb18030") == model.embed(frame)).all()
    expected = pm.evaluate(run, frame) | {"trained_on": True}
    assert model.evaluate(folder / "train.csv", encoding="gb18030") == expected
    assert pm.evaluate(run, folder / "train.csv", encoding="gb18030") == expected
    assert pm.explain(run, folder / "train.csv", encoding="gb18030")["rows"] == 60
    assert pm.robustness(run, folder / "train.csv", encoding="gb18030")["rows"] == 60


def test_every_verb_over_a_training_table_takes_an_encoding(chinese: tuple[Path, pm.Predictor, Path], tmp_path: Path) -> None:
    folder, _, run = chinese
    table = folder / "train.csv"
    profile = pm.inspect(table, target="类", encoding="gb18030")
    assert [column.name for column in profile.columns] == ["标题", "类"]
    assert profile.experiment is not None
    assert profile.experiment.data.encoding == "gb18030"
    assert pm.check(table, "training.epochs=1", "training.baselines=false", target="类", encoding="gb18030").ok
    commands = [
        ["inspect", table, "--target", "类", "--encoding", "gb18030"],
        ["init", table, "--target", "类", "--encoding", "gb18030", "-o", tmp_path / "run.yaml"],
        ["check", table, "--target", "类", "--encoding", "gb18030", "training.epochs=1", "training.baselines=false"],
        ["evaluate", run, table, "--encoding", "gb18030", "--json"],
        ["predict", run, table, "--encoding", "gb18030", "-o", tmp_path / "out.csv"],
        ["explain", run, table, "--encoding", "gb18030"],
    ]
    for command in commands:
        found = CliRunner().invoke(main, [str(word) for word in command])
        assert found.exit_code == 0, (command, found.output)
        assert "not UTF-8" not in found.output
    assert "encoding: gb18030" in (tmp_path / "run.yaml").read_text(encoding="utf-8")
    guessed = CliRunner().invoke(main, ["predict", str(run), str(table), "-o", str(tmp_path / "guessed.csv")])
    assert guessed.exit_code == 0
    assert "warning: " in guessed.stderr
    assert "read as gb18030, as in '标题'" in guessed.stderr
    assert (tmp_path / "guessed.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


# -- garbled --------------------------------------------------------------------------------------------------------------


def test_text_that_was_decoded_wrongly_before_is_told_with_what_it_may_have_been(tmp_path: Path) -> None:
    _, (said,) = told(written(tmp_path, "a,b\nÃ©tÃ©,1\ncafé,2\nx,3\n", "utf-8"))
    assert said.endswith(
        "t.csv, column 'a': 1 of 3 cells seem to have been decoded in a wrong encoding, such as 'Ã©tÃ©' (which may have been 'été'); "
        "export the table again, as UTF-8"
    )
    _, (said,) = told(written(tmp_path, "a,b\nx\ufffdy,1\n锟斤拷,2\n", "utf-8"))
    assert "column 'a': 2 of 2 cells contain U+FFFD or 锟斤拷" in said
    _, (said,) = told(written(tmp_path, "a,b\nx\x93y\x94,1\n", "utf-8"))
    assert "column 'a': 1 of 1 cells contain control characters" in said
    _, (said,) = told(written(tmp_path, "a,b\n1\0,2\n", "utf-8"))
    assert "column 'a': 1 of 1 cells contain control characters" in said
    _, (said,) = told(written(tmp_path, '{"a": "Ã©tÃ©"}\n', "utf-8", "t.jsonl"))
    assert "column 'a': 1 of 1 cells seem to have been decoded" in said


@pytest.mark.parametrize(
    ("cell", "before"),
    [("Ã©tÃ©", "été"), ("å¼\xa0ä¸‰", "张三"), ("çº¢è‰²çš„èŠ±", "红色的花"), ("绾㈣壊鐨勮姳", "红色的花"), ("浣犲ソ", "你好"), ("鑼呭彴", "茅台"),
     ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"), ("РїСЂРёРІРµС‚", "привет"), ("5 â‚¬", "5 €"), ("itâ€™s", "it’s"), ("20 Â°C", "20 °C")],
)  # fmt: skip
def test_what_a_garbled_text_was(cell: str, before: str) -> None:
    assert garbled.kind_of(cell) == "wrong"
    assert garbled.undone(cell) == before


@pytest.mark.parametrize(("encoding", "word"), [("gbk", "红色的花"), ("cp1251", "хорошо"), ("euc-kr", "아주 좋은"), ("cp1253", "ψυχή")])
def test_another_encoding_that_was_said_to_be_latin_is_told(tmp_path: Path, encoding: str, word: str) -> None:
    table = written(tmp_path, f"a,b\n{word},1\n{word},2\n", encoding)
    found, (said,) = told(table, encoding="latin-1")
    assert found[1][0] == word.encode(encoding).decode("latin-1")
    assert "column 'a': 2 of 2 cells seem to have been decoded in a wrong encoding, such as" in said
    assert told(table, encoding=encoding) == ([("a", "b"), (word, "1"), (word, "2")], [])


@pytest.mark.parametrize(
    "cell",
    ["café", "££££ ««««", "réélu, créée", "Þórður", "ÄÖÜ", "«\xa0café\xa0»", "MAÇÃ”", "São Paulo", "ÉTÉ", "红色的花", "茅台", "联通", "張三在北京工作", "これは日本語", "빨간 꽃", "привет", "Россия", "½ – “x”",
     "naïve", "Ωμέγα", "emoji 😀", "", "20 °C", "Âge", "PÃO"],
)  # fmt: skip
def test_languages_are_not_garbled(cell: str) -> None:
    assert garbled.kind_of(cell) is None


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "feather"])
def test_an_encoding_of_a_file_that_is_not_text_has_no_effect_and_a_warning_says_so(tmp_path: Path, kind: str) -> None:
    path, frame = tmp_path / f"t.{kind}", pd.DataFrame({"标题": ["红色的花"]})
    if kind == "xlsx":
        frame.to_excel(path, index=False)
    else:
        getattr(frame, f"to_{kind}")(path)
    read, warned = told(path, encoding="gb18030")
    assert read == [("标题",), ("红色的花",)]
    assert warned == [f"{path}: the encoding gb18030 has no effect: the characters of Excel, Parquet and Feather files are Unicode"]
    assert told(path)[1] == []
