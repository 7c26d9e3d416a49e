"""Tests of mistakes at the command line: one message states the mistake and its correction."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.tables import write_csv
from polymodal.cli.main import main
from polymodal.errors import nearest, nearest_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with two texts, a number and a target; the same in Chinese; components beside them; files that are wrong."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "run").mkdir()
    words = ["red", "apple", "stone", "river", "cloud", "garden", "window"]
    rows = [[f"{words[at % 7]} {words[at % 5]} no {at}", f"{at * 0.37:.2f}", "ab"[at % 2]] for at in range(48)]
    write_csv(folder / "t.csv", ["title", "price", "category"], rows)
    write_csv(folder / "zh.csv", ["商品标题", "价格", "标签"], rows)
    (folder / "own_parts.py").write_text(
        "from polymodal.encoders import Encoder\n"
        "class Bare:\n    pass\n"
        "class Formed:\n    form, needs = 'ngrams', {'buckets': 64, 'max_ngrams': 8}\n    def __init__(self): pass\n"
        "class Plain(Formed):\n    def __init__(self, settings, width, state): pass\n"
        "class Hungry(Formed):\n    needs = {}\n"
        "class Other(Formed):\n    form = 'pixels'\n"
        "class Fuse:\n    def __init__(self, settings, widths, width): pass\n"
    )
    (folder / "own_lonely.py").write_text("class Fuse:\n    pass\n")
    (folder / "own_broken.py").write_text("x = 1\nx.nothing\n")
    files = {
        "tab": "data:\n\ttable: t.csv\n",
        "tasks": "data: {table: t.csv}\ntasks: category\n",
        "list": "data: {table: t.csv}\ntasks: [category]\n",
        "task": "data: {table: t.csv}\ntasks: {category: multiclass}\n",
        "root": "data: {table: t.csv, root: {a: b}}\ntasks: {category: {kind: binary, column: category}}\n",
        "field": "data: {table: t.csv}\nfields: {title: text}\ntasks: {category: {kind: binary, column: category}}\n",
        "fields": "data: {table: t.csv}\nfields: [title]\ntasks: {category: {kind: binary, column: category}}\n",
        "data": "data: t.csv\n",
        "bare": "tasks: {category: {kind: binary, column: category}}\n",
        "colon": "data: {table: t.csv}\ntasks:\n  category: kind: binary\n",
        "indent": "data:\n  table: t.csv\n root: []\n",
        "empty": "",
        "whole": "data: {table: t.csv}\nfields: {title: {kind: text, column: title}}\nmodel: {encoders: {title: {kind: bag}}}\n"
        "tasks: {category: {kind: binary, column: category}}\n",
        "value": "data: {table: t.csv}\ntraining: {lr: 0.1}\n",
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def said(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What a command prints in ``folder``; it must end with exit code 2 and no traceback."""
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, list(words))
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


TRAIN = ["train", "t.csv", "--target", "category"]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("--epochs 3", "--epochs: no such option of train; it is a setting, which is written without dashes: training.epochs=3"),
        ("--epochs=3", "training.epochs=3"),
        ("--num-epochs 3", "training.epochs=3"),
        ("--n_epochs 3", "training.epochs=3"),
        ("--lr 1e-3", "training.lr=1e-3"),
        ("--learning-rate 1e-3", "training.lr=1e-3"),
        ("--batch-size 8", "training.batch_size=8"),
        ("--batch 8", "training.batch_size=8"),
        ("--weight-decay 0.1", "training.weight_decay=0.1"),
        ("--workers 2", "training.workers=2"),
        ("--num-workers 2", "training.workers=2"),
        ("--device cpu", "training.device=cpu"),
        ("--device gpu", "training.device=cuda, one of auto, cpu, cuda, mps"),
        ("--gpu", "training.device=cuda, one of auto, cpu, cuda, mps"),
        ("--fp16", "training.precision=float16"),
        ("--patience 4", "training.patience=4"),
        ("--early-stopping", "training.patience=VALUE"),
        ("--no-baselines", "training.baselines=false"),
        ("--folds 3", "data.split.folds=3"),
        ("--cv 3", "data.split.folds=3"),
        ("--test-size 0.2", "data.split.test=0.2"),
        ("--dropout 0.3", "model.dropout=0.3 (or model.fusion.dropout=0.3, or model.encoders.FIELD.dropout=0.3)"),
        ("--fusion late", "model.fusion.kind=late"),
        ("--fusion x", "model.fusion.kind=x"),
        ("--fusion average", "model.fusion.kind=late, one of concat, lowrank,"),
        ("--encoder vit", "model.encoders.FIELD.kind=vit; FIELD is the name of a field"),
        ("--model dino", "model.encoders.FIELD.kind=pretrained model.encoders.FIELD.model=dino; FIELD is"),
        ("--image-size 64", "fields.FIELD.size=64; FIELD is the name of a field"),
        ("--metric f1", "tasks.TARGET.metric=macro_f1, one of accuracy,"),
        ("--freeze title", "training.freeze.title=VALUE"),
        ("--download", "model.encoders.FIELD.download=true"),
        ("--output runs/x", "did you mean '--out'?"),
        ("--output-dir runs/x", "did you mean '--out'?"),
        ("--label category", "did you mean '--target'?"),
        ("--targt category", "did you mean '--target'?"),
        ("--drop title", "did you mean '--ignore'?"),
        ("--random-state 3", "did you mean '--seed'?"),
        ("-t category", "did you mean '--target'?"),
        ("--data t.csv", "the table is written without an option: polymodal train t.csv"),
        ("--config run.yaml", "the table is written without an option: polymodal train run.yaml"),
        ("--text title", "a column is taken as text by --column title=text"),
        ("--features title", "every column but the target is a feature; leave one out: --ignore COL"),
        ("--foo 3", "its options: polymodal train --help; settings are written path=value"),
    ],
)
def test_an_unknown_option_is_told_with_what_it_stands_for(folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, advice: str) -> None:
    assert advice in said(folder, monkeypatch, *TRAIN, *words.split())


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("--time-limit 10 min", "--time-limit 10 min: the shell makes two words of it; quote it, --time-limit '10 min', or write 10m"),
        ("--time-limit 1 hour", "or write 1h"),
        ("--time-limit soon", "expected a time such as 90s, 5m or 1h30m"),
        ("training.lr = 3", "write it without spaces around '=': training.lr=3"),
        ("training.lr= 3", "write it without spaces around '=': training.lr=3"),
        ("training.lr:3", "write training.lr=3"),
        ("training.lr", "write training.lr=VALUE"),
        ("epochs 3", "'epochs': not an override; expected path=value, such as training.lr=1e-4; write training.epochs=3"),
        ("zh.csv", "another one to validate on is --valid zh.csv, one to measure on --test zh.csv"),
        ("--ignore title price", "an option with several values is given several times, as --ignore A --ignore B"),
        ("--ignore title,price", "name each by itself: 'title', 'price'"),
        ("--root nowhere", "root 'nowhere': no such folder; expected the folder of the files"),
        ("--column title", "expected NAME=MODALITY, such as title=text"),
        ("--column title=string", "did you mean 'text'?"),
        ("epochs=3", "epochs: unknown setting; did you mean 'training.epochs'?"),
        ("training.learning_rate=1", "training.learning_rate: unknown setting; did you mean 'training.lr'?"),
        ("training.folds=3", "training.folds: unknown setting; did you mean 'data.split.folds'?"),
        ("training.device=gpu", "input should be 'auto', 'cpu', 'cuda' or 'mps'; did you mean 'cuda'?"),
        ("training.precision=fp16", "did you mean 'float16'?"),
        ("training.lr=0,001", "write training.lr=0.001"),
        ("training.lr.x=3", "it is a value, with no settings below it; write training.lr=3"),
        ("training.epochs=[3]", "it is a single value, not a list; write training.epochs=3"),
        ("training.rates=3", "training.rates: found 3; expected settings below it; write training.rates.NAME=3"),
        ("training.balance=ogm_ge", "expected settings with a kind; write training.balance.kind=ogm_ge"),
        ("data.root=photos", "write data.root=[photos]"),
        ("data.split=random", "write data.split.kind=random"),
        ("data.split.kind=kfold", "did you mean 'folds'?"),
        ("data.split.valid=20", "for 20 %, write data.split.valid=0.2"),
        ("data.split.group=[a,b]", "data.split.group: found ['a', 'b']"),
        ("model.fusion=attention", "write model.fusion.kind=attention"),
        ("model.fusion.kind=average", "did you mean 'late'?"),
        ("model.fusion.kind=sum", "did you mean 'gated'?"),
        ("model.fusion.kind=transformer", "did you mean 'attention'?"),
        ("model.fusion.hidden=3", "the kinds that have it are tensor, mixture: write model.fusion.kind=tensor model.fusion.hidden=3"),
        ("model.encoders.titel.kind=bag", "model.encoders.titel: no such field; did you mean 'title'?"),
        ("model.encoders.titel.dropout=0.1", "model.encoders.titel: no such field; did you mean 'title'?"),
        ("model.encoders.title=bag", "write model.encoders.title.kind=bag"),
        ("model.encoders=bag", "expected an encoder for each field; write model.encoders.title.kind=bag"),
        ("model=attention", "write model.fusion.kind=attention"),
        ("model.encoders.title.kind=pretrained", "model.encoders.title.model: missing; expected a pretrained model; write model.encoders.title.model=NAME (such as sentence-transformers/"),
        ("fields.titel.max_chars=96", "fields.titel: a field without a column; did you mean 'title'?"),
        ("fields.titel.kind=text", "fields.titel: a field without a column; did you mean 'title'?"),
        ("fields.title.kind=bert", "an encoder is chosen by model.encoders.title.kind=pretrained"),
        ("fields.price.kind=category", "'price' is a column of the field 'columns'; write fields.columns.types.price=category"),
        ("fields.columns.types.pirce=number", "types: 'pirce' is not among the field's columns"),
        ("fields.columns.types.price=string", "did you mean 'category'?"),
        ("tasks.categry.metric=macro_f1", "tasks.categry: a task without a column; did you mean 'category'?"),
        ("tasks.category.metric=f1", "did you mean 'macro_f1'?"),
        ("tasks.price.kind=regression", "a target is named by --target price, or by tasks.price.column=COL"),
        ("tasks=category", "tasks: found 'category'; expected settings by name; write tasks: {category: {kind: multiclass, column: category}}"),
        ("fields=title", "leave fields out, they are found in the table"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told_with_what_to_write(folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, advice: str) -> None:
    assert advice in said(folder, monkeypatch, *TRAIN, *words.split(" "))


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (
            "resnet",
            "one of bag, text_transformer, pretrained, word_embeddings, module:Class; write model.encoders.title.kind=bag (trained from scratch), or",
        ),
        ("lstm", "write model.encoders.title.kind=text_transformer (trained from scratch), or model.encoders.title.kind=pretrained"),
        ("bert", "model.encoders.title.kind=pretrained model.encoders.title.model=NAME (such as sentence-transformers/"),
        ("tfidf", "write model.encoders.title.kind=bag"),
    ],
)
def test_a_kind_that_exists_elsewhere_is_told_with_those_of_the_field(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, advice: str
) -> None:
    assert advice in said(folder, monkeypatch, *TRAIN, f"model.encoders.title.kind={kind}")
    table = said(folder, monkeypatch, *TRAIN, "model.encoders.columns.kind=mlp")
    assert "'mlp' is not on the menu; expected, for a field of kind tabular, one of tabular, tabular_transformer, module:Class" in table
    assert table.endswith("write model.encoders.columns.kind=tabular")


@pytest.mark.parametrize("kind", ["resnet", "resnet50", "efficientnet", "bert"])
def test_a_network_for_pictures_is_trained_from_scratch_or_pretrained(kind: str) -> None:
    tree = {"fields": {"photo": {"kind": "image", "column": "photo"}}, "model": {"encoders": {"photo": {"kind": kind}}}}
    with pytest.raises(pm.ConfigError) as caught:
        pm.Experiment.of(tree)
    assert str(caught.value) == (
        f"model.encoders.photo.kind: {kind!r} is not on the menu; expected, for a field of kind image, one of convnet, vit, pretrained, "
        f"patch_embeddings, module:Class; write model.encoders.photo.kind=convnet (trained from scratch), or model.encoders.photo.kind=pretrained "
        f"model.encoders.photo.model=NAME (such as facebook/dinov2-small)"
    )


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("train", "missing TABLE"),
        ("t.csv", "write polymodal train t.csv --target COL"),
        ("tasks.yaml", "write polymodal train tasks.yaml"),
        ("table t.csv", "t.csv: a table; expected the folder of a data set; a table needs no conversion: polymodal train t.csv --target COL"),
        ("train t.csv", "no target; expected the column to predict: --target COL; the columns are 'title', 'price', 'category'"),
        ("train t.csv category", "the column to predict is named by --target category"),
        ("train t.csv --target price --column price=category", "--column price: 'price' is the target, whose kind is another setting; expected tasks.price.kind, such as tasks.price.kind=multiclass"),
        ("train t.csv --target category category", "'category': not an override; expected path=value, such as training.lr=1e-4; 'category' is the target already; leave it out"),
        ("train --resume t.csv", "t.csv: contains no run.yaml; expected the folder of a run; train one: polymodal train TABLE --target COL -o RUN"),
        ("init t.csv --target category -o t.csv --overwrite", "t.csv: an extension that is not known; expected one of .yaml, .yml; choose another file name"),
        ("train whole.yaml --pretrained", "whole.yaml: model.preset=pretrained beside a file that sets model.encoders; expected one of them; leave it out of the file"),
        ("train --time-limit 10 min t.csv --target category", "--time-limit '10 min'"),
        ("train t.csv --target 类别", "did you mean 'category'?"),
        ("train t.csv --target 价格", "did you mean 'price'?"),
        ("train t.csv --target category,price", "name each by itself: 'category', 'price'"),
        ("train zh.csv --target label", "no column 'label'; the columns are '商品标题', '价格', '标签'; did you mean '标签'?"),
        ("train zh.csv --target category", "did you mean '标签'?"),
        ("train zh.csv --target price", "did you mean '价格'?"),
        ("train zh.csv --target title", "did you mean '商品标题'?"),
        ("predict t.csv -o out.csv", "polymodal predict RUN TABLE -o OUT; or one row: RUN --row JSON"),
        ("predict run t.csv --output out.csv", "did you mean '--out'?"),
        ("predict run t.csv --epochs 3", "a setting of training, beside polymodal train TABLE, which is written without dashes: training.epochs=3"),
        ("evaluate run t.csv --target category", "--target: no such option of evaluate; it is one of inspect, init, check, train, compare"),
        ("evaluate run t.csv training.epochs=3", "expected evaluate RUN TABLE; settings, path=value, are those of polymodal train"),
        ("compare t.csv --target category --fusion average", "did you mean 'late'?"),
        ("check nowhere", "nowhere: no such file in "),
        ("predict rum t.csv -o out.csv", "rum: no such folder; expected a run or a bundle; did you mean 'run'?"),
        ("predict t.csv run -o out.csv", "t.csv: a file; expected the folder of a run or a bundle; the run is named first, and then the table"),
        ("report rum", "rum: no such folder; expected the folder of a run; did you mean 'run'?"),
        ("train --resume rum", "rum: contains no run.yaml; expected the folder of a run; did you mean 'run'?"),
        ("train taks.yaml", "taks.yaml: no such file; expected a run.yaml; did you mean 'tasks.yaml'?; write one: polymodal init TABLE"),
        ("train tab.yaml", "tab.yaml line 2: not valid YAML (found character '\\t' that cannot start any token); a line begins with a tab; indent by spaces"),
        ("train tasks.yaml", "tasks.yaml: tasks: found 'category'; expected settings by name; write tasks: {category: {kind: multiclass, column: category}}"),
        ("train list.yaml", "list.yaml: tasks: found ['category']; expected settings by name; write tasks: {category:"),
        ("train task.yaml", "task.yaml: tasks.category: found 'multiclass'; expected settings; write tasks.category={kind: multiclass, column: category}"),
        ("train root.yaml", "root.yaml: data.root: found {'a': 'b'}; input should be a valid list; write data.root=[a]"),
        ("train field.yaml", "field.yaml: fields.title: found 'text'; expected settings; write fields.title={kind: text, column: title}"),
        ("train fields.yaml", "fields.yaml: fields: found ['title']; expected settings by name"),
        ("train data.yaml", "data.yaml: data: found 't.csv'; expected settings; write data: {table: t.csv}"),
        ("train bare.yaml", "data.table: missing; expected the table to train on; write data: {table: PATH}"),
        ("train colon.yaml", "expected one 'name: value' on each line"),
        ("train indent.yaml", "settings of one level begin in the same column; fix the indentation"),
        ("train empty.yaml", "empty.yaml: found nothing; expected a mapping of settings"),
        ("train value.yaml training.lr.x=3", "training.lr.x: training.lr is a value (0.1), with no settings below it; write training.lr=3"),
    ],
)  # fmt: skip
def test_a_wrong_command_table_or_file_is_told_with_what_to_write(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, advice: str
) -> None:
    assert advice in said(folder, monkeypatch, *words.split())


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("model.fusion.kind=own_parts:Fusee", "(module 'own_parts' has no 'Fusee'); expected one of its classes: Bare, Formed, Plain, Hungry, Other, Fuse; did you mean 'Fuse'?"),
        ("model.fusion.kind=own_parts:Bare", "kind 'own_parts:Bare': cannot be built (too many positional arguments); expected a subclass of polymodal.fusions.Fusion, built as Class(settings, widths=..., width=...)"),
        ("model.fusion.kind=own_parts:Fuse", "kind 'own_parts:Fuse': 'Fuse' object has no attribute 'width_out'; expected a subclass of polymodal.fusions.Fusion"),
        ("model.encoders.title.kind=own_parts:Bare", "has no attribute 'form'; expected a subclass of polymodal.encoders.Encoder, built as Class(settings, width=..., state=...)"),
        ("model.encoders.title.kind=own_parts:Formed", "cannot be built (too many positional arguments); expected a subclass of polymodal.encoders.Encoder"),
        ("model.encoders.title.kind=own_parts:Plain", "made a Plain; expected a subclass of polymodal.encoders.Encoder"),
        ("model.encoders.title.kind=own_parts:Hungry", "an encoder of 'ngrams' whose needs lack buckets and max_ngrams"),
        ("model.encoders.title.kind=own_parts:Other", "its form is 'pixels'; expected one that this field makes: ngrams, tokens"),
        ("model.encoders.title.kind=own_broken:X", "cannot be imported (AttributeError: 'int' object has no attribute 'nothing', "),
        ("model.fusion.kind=no_such_module:X", "put the folder of no_such_module.py on PYTHONPATH: PYTHONPATH=FOLDER"),
    ],
)  # fmt: skip
def test_a_component_that_does_not_keep_its_contract_is_told_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, override: str, advice: str
) -> None:
    monkeypatch.syspath_prepend(folder)
    assert advice in said(folder, monkeypatch, *TRAIN, override, "training.epochs=1", "data.split.kind=random", "training.baselines=false")


@pytest.mark.parametrize("beside", [True, False])
def test_a_module_beside_the_table_or_in_the_working_folder_is_not_imported_but_its_folder_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    words = ["train", str(folder / "t.csv"), "--target", "category", "model.fusion.kind=own_lonely:Fuse"]
    told = said(tmp_path if beside else folder, monkeypatch, *words)
    assert f"it lies in {folder}, where Python does not look; put that folder on PYTHONPATH: PYTHONPATH={folder}" in told
    assert "the class must be a subclass of polymodal.fusions.Fusion, built as Class(settings, widths=..., width=...)" in told
    assert "own_lonely" not in sys.modules


def test_what_is_told_is_told_by_the_process_as_well(folder: Path) -> None:
    command = [sys.executable, "-m", "polymodal.cli.main", *TRAIN, "--epochs", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 2
    assert "training.epochs=3" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("word", "words", "found"),
    [
        ("learning_rate", ["epochs", "lr", "rates"], "lr"),
        ("Learning-Rate", ["lr"], "lr"),
        ("类别", ["photo", "category"], "category"),
        ("標題", ["photo", "title"], "title"),
        ("label", ["照片", "标签"], "标签"),
        ("image", ["文本", "图片"], "图片"),
        ("price", ["商品价格"], "商品价格"),
        ("图片", ["image_path", "title"], "image_path"),
        ("titel", ["标题", "title"], "title"),
        ("gpu", ["auto", "cpu", "cuda", "mps"], "cuda"),
        ("cpuu", ["cpu", "cuda"], "cpu"),
        ("resnet50", ["convnet", "vit"], "convnet"),
        ("zebra", ["lr", "title", "标签"], None),
        ("", ["lr"], None),
    ],
)
def test_what_is_offered_is_spelled_alike_or_means_the_same(word: str, words: list[str], found: str | None) -> None:
    assert nearest_of(word, words) == found
    assert nearest(word, words) == ("" if found is None else f"; did you mean {found!r}?")


def test_a_preset_is_suggested_by_the_setting_that_has_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = said(folder, monkeypatch, "compare", "t.csv", "--target", "category", "--preset", "fast")
    assert "which is written without dashes: training.preset=fast" in reported


def test_the_language_may_stand_behind_a_command_that_resumes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = said(folder, monkeypatch, "train", "--resume", "nowhere", "--lang", "zh")
    assert "--lang" not in reported
    assert "nowhere" in reported
