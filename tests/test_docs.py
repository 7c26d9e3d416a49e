"""Tests that files, tests, commands, settings and menus in the documentation exist, and that the site builds without a warning."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from builders import ROOT

READMES = ("README.md", "README.zh.md")
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*(ROOT / name for name in READMES), ROOT / "CONTRIBUTING.md", *DOCS]
CONFIGURATIONS = ("docs/howto/configuration.md", "docs/zh/configuration.md")
MENUS = (*READMES, "docs/zh/components.md")
README_LINES = 200
UNCHECKED = ("glossary.md",)
"""Pages that may use words which the glossary replaces: the glossary itself."""
ABOUT_CODE = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "design").glob("*.md"))]
"""Pages that name files of the package; relative paths on them may begin at ``src/polymodal``."""
FORBIDDEN = {"utils.py", "common.py", "helpers.py"}
"""Names of files that CONTRIBUTING.md rules out."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fenced(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a document in one of some languages."""
    blocks: list[str] = []
    inside: tuple[str, list[str]] | None = None
    for line in page.read_text(encoding="utf-8").splitlines():
        if inside is None and (opening := re.match(r"^```([^`]*)$", line)):
            inside = (opening[1].strip(), [])
        elif inside is not None and line == "```":
            if inside[0] in languages:
                blocks.append("".join(f"{text}\n" for text in inside[1]))
            inside = None
        elif inside is not None:
            inside[1].append(line)
    assert inside is None, f"{page}: a block without an end"
    return blocks


def extension(name: str) -> Any:
    """An extension of the site, from docs/_ext."""
    folder = str(ROOT / "docs" / "_ext")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


# Every page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tests_scripts_and_pages_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for file, name in re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", text):
        assert (ROOT / file).is_file(), file
        if name:
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
    for file in re.findall(r"`((?:benchmarks|examples)/\w+(?:\.py)?)", text):
        assert (ROOT / file).exists(), file
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_paths_in_backticks_on_a_page_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    starts = [ROOT, ROOT / "src" / "polymodal"] if page in ABOUT_CODE else [ROOT]
    named = re.findall(r"`((?:tests|docs|src|benchmarks|examples)/[\w./-]+)(?:::\w+)?`", text)
    if page in ABOUT_CODE:
        named += sorted({path for path in re.findall(r"`([\w./-]+)`", text) if path.endswith(".py")} - FORBIDDEN)
        rooms = {start.name for start in (ROOT / "src" / "polymodal").iterdir()}
        named += [path for path in re.findall(r"`(\w+/[\w./-]+)`", text) if path.split("/")[0] in rooms]
    assert [path for path in named if not any((start / path).exists() for start in starts)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_make_targets_and_scripts_on_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make (\w+)", text, flags=re.MULTILINE)) <= set(targets)
    for file in re.findall(r"python ((?:docs|tests|benchmarks|examples)/[\w./-]+)", text):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_on_a_page_are_commands(page: Path) -> None:
    from polymodal.cli.main import main
    from polymodal.config import split_override

    lines = [line for block in fenced(page, "", "bash") for line in block.splitlines() if line.startswith("polymodal ")]
    assert len(lines) >= (10 if page.name in READMES else 0)
    for line in lines:
        _, verb, *words = shlex.split(line, comments=True)
        command = main.commands[verb]
        if verb == "table" and words[0] not in command.commands:  # type: ignore[attr-defined]
            words = ["huggingface", *words]  # a folder, whose format the command recognises
        while isinstance(command, click.Group):
            verb, *words = words
            command = command.commands[verb]
        context = command.make_context(verb, words)
        for text in context.params.get("overrides", ()):
            split_override(text)


@pytest.mark.parametrize("page", [page for page in PAGES if fenced(page, "yaml")], ids=name_of)
def test_the_configurations_on_a_page_are_valid(page: Path) -> None:
    from polymodal import Experiment
    from polymodal.config import parse_yaml

    experiments = [Experiment.of(parse_yaml(text, page.name)) for text in fenced(page, "yaml")]
    if name_of(page) in CONFIGURATIONS:
        assert any(set(experiment.model.encoders) == set(experiment.fields) for experiment in experiments), "the whole tree, once"


def test_the_whole_configuration_is_on_a_page_in_both_languages() -> None:
    for name in CONFIGURATIONS:
        assert fenced(ROOT / name, "yaml"), name


@pytest.mark.parametrize("page", [page for page in PAGES if fenced(page, "python")], ids=name_of)
def test_the_python_on_a_page_is_python_and_its_names_are_public(page: Path) -> None:
    import polymodal

    for block in fenced(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pm":
                assert node.attr in polymodal.__all__, node.attr
            if isinstance(node, ast.ImportFrom) and node.module == "polymodal":
                assert {alias.name for alias in node.names} <= set(polymodal.__all__)


def test_the_pages_hold_many_commands() -> None:
    assert sum(line.startswith("polymodal ") for page in PAGES for block in fenced(page, "", "bash") for line in block.splitlines()) > 90


@pytest.mark.parametrize("name", MENUS)
def test_the_menus_are_complete(name: str) -> None:
    from polymodal import encoders, fusions, modalities, tasks

    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    named = set(re.findall(r"`(\w+)`", "\n".join(line for line in lines if line.startswith("|"))))
    assert named >= {kind for family in (modalities, encoders, fusions, tasks) for kind in family.KINDS}


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_short_and_names_its_two_commands(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= README_LINES
    assert re.search(r"^make demo ", text, flags=re.MULTILINE)
    assert re.search(r"^make test ", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_a_link_has_a_text_which_is_shown_where_the_site_is_not_built(page: Path) -> None:
    assert "[](" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in DOCS if page.name not in UNCHECKED], ids=name_of)
def test_a_page_keeps_to_the_words_of_the_glossary(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"\b(?:told|asked|drawn|worth|mend|mended|sureness|crew|twins?|verbs?)\b", text, flags=re.IGNORECASE) == []


# What is generated


def test_every_setting_is_in_the_reference() -> None:
    from polymodal import Experiment
    from polymodal.config import settings_of

    text = extension("polymodal_reference").settings()
    for setting in settings_of(Experiment):
        assert f"`{'.'.join(setting.path)}`" in text, setting.path
        for choice in setting.choices:
            assert f"`{choice}`" in text, (setting.path, choice)


def test_every_setting_has_a_description() -> None:
    rows = [line for line in extension("polymodal_reference").settings().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    for row in rows:
        cells = re.split(r"(?<!\\)\|", row)
        assert len(cells) == 6, row
        assert all(cell.strip() for cell in cells[1:5]), row
        assert "Undefined" not in row


def test_every_command_and_option_is_in_the_reference() -> None:
    reference = extension("polymodal_reference")
    text = reference.commands()
    commands = dict(reference.every_command())
    assert {"polymodal train", "polymodal table nuscenes", "polymodal schema"} <= set(commands)
    for path, command in commands.items():
        start = text.index(f" `{path}`\n")
        section = text[start : text.find("\n## ", start) if "\n## " in text[start:] else None]
        for parameter in command.params:
            for name in parameter.opts if isinstance(parameter, click.Option) else ():
                assert f"`{name}`" in section, (path, name)


def test_a_docstring_becomes_plain_text_with_literals_and_lists() -> None:
    lines = ["One ``name``s, a*b and x_ | y.", "- an item", ":param a: *args", ":raises Error: never"]
    extension("polymodal_reference").plain_rst(None, "function", "f", None, None, lines)
    assert lines == ["One ``name``\\ s, a\\*b and x\\_ \\| y.", "", "- an item", ":param a: \\*args", ":raises Error: never", ""]


def test_an_unknown_placeholder_is_an_error() -> None:
    page = ["<!-- generated: nothing -->"]
    with pytest.raises(KeyError, match="nothing"):
        extension("polymodal_reference").fill(None, "page", page)


def test_chinese_is_searched_by_pairs_of_characters() -> None:
    language = extension("polymodal_chinese").SearchEnglishAndChinese({})
    assert language.split("训练一个 model，缺失") == ["训练", "练一", "一个", "model", "缺失"]
    assert language.stem("Trainings") == "train"
    assert language.language_name == "English", "the name of the stemmer in JavaScript, EnglishStemmer"


def test_lines_of_chinese_are_joined_without_a_space() -> None:
    assert extension("polymodal_chinese").joined("一行，\n下一行 a\nb") == "一行，下一行 a\nb"


def test_the_picture_of_a_result_is_made_from_what_an_example_prints() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        chart = importlib.import_module("picture").chart("note: x\nall          accuracy 0.848\nonly note    accuracy 0.524\n")
    finally:
        sys.path.remove(str(ROOT / "docs"))
    assert re.findall(r">([^<>]+)</text>", chart) == ["all fields", "0.848", "only note", "0.524", "accuracy on new rows"]


# The site


class Requests(HTMLParser):
    """The addresses that a browser loads by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("img", "script", "iframe", "source", "audio", "video", "embed"):
            self.addresses.append(values.get("src") or "")
        elif tag == "link" and values.get("rel") not in ("index", "search", "next", "prev", "canonical", "author", "copyright"):
            self.addresses.append(values.get("href") or "")


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The same build as ``make docs``, without network."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    options = ["--nitpicky", "--fail-on-warning", "--keep-going", "-q", "-b", "html", "-d", str(out / ".doctrees")]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(out)], env=env, capture_output=True, encoding="utf-8", timeout=600,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_site_builds_without_a_warning_its_reference_is_whole_and_it_requests_nothing_from_elsewhere(tmp_path: Path) -> None:
    """One test, so that the site is built once."""
    import polymodal
    from polymodal import Experiment
    from polymodal.config import settings_of

    site = tmp_path / "site"
    done = build(ROOT / "docs", site)
    assert done.returncode == 0, done.stderr

    def shown(name: str) -> str:
        return re.sub(r"<[^>]+>", "", (site / "reference" / f"{name}.html").read_text(encoding="utf-8"))

    settings, commands, python = shown("settings"), shown("commands"), (site / "reference/python.html").read_text(encoding="utf-8")
    for setting in settings_of(Experiment):
        assert ".".join(setting.path) in settings, setting.path
    for path, _ in extension("polymodal_reference").every_command():
        assert path in commands, path
    for name in polymodal.__all__:
        assert f'id="polymodal.{name}"' in python or name == "__version__", name
    for page in DOCS:
        assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file(), page

    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(DOCS)
    for page in pages:
        parser = Requests()
        parser.feed(page.read_text(encoding="utf-8"))
        for address in parser.addresses:
            assert not re.match(r"(?:\w+:)?//", address), (page.name, address)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(\s*['\"]?|@import\s+['\"])(?:\w+:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.slow
def test_a_dead_link_or_a_missing_reference_fails_the_build(tmp_path: Path) -> None:
    faults = {
        "page": "[a page](nowhere.md)",
        "section": "[a section](page.md#nowhere)",
        "function": "{py:func}`polymodal.nowhere`",
        "picture": "![a picture](nowhere.png)",
    }
    source = tmp_path / "docs"
    source.mkdir()
    settings = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8").replace("Path(__file__).parent\n", f"Path({str(ROOT / 'docs')!r})\n")
    (source / "conf.py").write_text(settings.replace('html_static_path = ["_static"]', "html_static_path = []"), encoding="utf-8")
    (source / "index.md").write_text("# Site\n\n```{toctree}\n" + "\n".join(faults) + "\n```\n", encoding="utf-8")
    for name, fault in faults.items():
        (source / f"{name}.md").write_text(f"# Page\n\n{fault}\n", encoding="utf-8")
    done = build(source, tmp_path / "site")
    assert done.returncode != 0
    for name in faults:
        lines = [line for line in done.stderr.splitlines() if f"{name}.md" in line and "WARNING" in line]
        assert any("nowhere" in line for line in lines), (name, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["docs/tutorial.md", "docs/zh/tutorial.md"])
def test_a_tutorial_can_be_followed(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command as it stands, with settings that train for a moment."""
    from polymodal.cli.main import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "make_table.py").write_text(fenced(ROOT / name, "python")[0], encoding="utf-8")
    subprocess.run([sys.executable, "make_table.py"], env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=True)
    lines = [line for block in fenced(ROOT / name, "bash") for line in block.splitlines() if line.startswith("polymodal ")]
    assert {line.split()[1] for line in lines} >= {"inspect", "check", "train", "evaluate", "predict"}
    variants = [line for line in lines if line.split()[1] == "train"][2:]  # of the first training
    for line in (line for line in lines if line not in variants):
        _, verb, *words = shlex.split(line, comments=True)
        if verb == "train" and "--resume" not in words:
            words += ["training.epochs=1", "training.baselines=false", "data.split.kind=random", "--quiet"]
        done = CliRunner().invoke(main, [verb, *words])
        assert done.exit_code == 0, (line, done.output, done.exception)
