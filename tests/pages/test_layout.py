"""The pages in Chromium: at 400 and 1,200 px, light and dark, with long and Chinese names, in both languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

import polymodal as pm
from builders.browsers import CHROMIUM, opened
from builders.pages import COMPARED, EVIL
from polymodal.language import LANGUAGES
from polymodal.pages import comparison_page, explanation_page, read_run, robustness_page, run_page
from polymodal.tasks import curves

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAMES = {
    "photo": "the_total_number_of_previous_purchases_of_this_customer_in_the_last_twelve_months_of_all_channels",
    "标题": "过去十二个月中该客户在本店所有渠道购买商品的总次数以及退货次数的加权平均值",
    "red": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 2,
    "other.csv": "a_table_with_a_name_of_many_words_and_no_spaces_" * 4 + ".csv",
}
"""Long names, by the names that they replace in the data of a page."""
_OUTSIDE = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (one) => one.closest('.scroll') && one !== one.closest('.scroll');
  const beyond = (one) => { const box = one.getBoundingClientRect(); return box.right > width + 0.5 || box.left < -0.5; };
  const found = [...document.querySelectorAll('body *')].filter((one) => beyond(one) && !scrolls(one));
  return found.slice(0, 5).map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 60)}`);
}"""
"""The elements that are not in a box that scrolls and that reach beyond the window."""
_LABELS = """() => [...document.querySelectorAll('svg.chart')].map((chart) => {
  const frame = chart.getBoundingClientRect(), texts = [...chart.querySelectorAll('text')].map((one) => one.getBoundingClientRect());
  const bottom = texts.filter((one) => one.top > frame.bottom - frame.height / 8).sort((a, b) => a.left - b.left);
  return {
    height: Math.min(...texts.map((one) => one.height)),
    outside: texts.filter((one) => one.left < frame.left - 1 || one.right > frame.right + 1).length,
    overlaps: bottom.filter((one, at) => at && one.left < bottom[at - 1].right).length,
  };
})"""
"""By chart: the least height of its texts in pixels, how many are outside of it, and how many of the horizontal axis overlap."""
_ONE_LETTER = """() => [...document.querySelectorAll('td, th')].filter((one) => {
  const style = getComputedStyle(one);
  return one.textContent.length > 12 && one.getBoundingClientRect().height > 12 * parseFloat(style.fontSize) * 1.5 && one.clientWidth < 60;
}).map((one) => one.textContent.slice(0, 60))"""
"""The cells whose text is broken after almost every letter."""


def renamed(value: Any) -> Any:
    """Plain data in which the names of ``NAMES`` are long ones."""
    if isinstance(value, dict):
        return {renamed(name): renamed(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [renamed(below) for below in value]
    if not isinstance(value, str) or value.startswith("data:"):
        return value
    for name, long in NAMES.items():
        value = long if value == name else value.replace(f"only {name}", f"only {long}")
    return value


@pytest.fixture(scope="module")
def pages(shop_run: Path, shop_folder: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    """By kind, the function of a page and its data."""
    table = shop_folder / "other.csv"
    content = read_run(shop_run) | {
        "folder": "/a/very/long/path" * 12,
        "faults": [["3", "photo", "no such file " + "x" * 200]],
        "fault_count": 70,
    }
    log = [{"event": "plan", "members": 2, "baseline_members": 2, "epochs": 3}, *content["log"]]
    rng = np.random.default_rng(0)
    many: dict[str, Any] = json.loads(json.dumps(content))
    names = [f"class {at}" for at in range(200)]
    names[:4] = [*NAMES.values()]
    names[4] = EVIL
    truth, scores = rng.integers(0, 200, 2000), rng.random((2000, 200))
    many["stored"]["curves"]["label"] = curves.classification(names, truth.astype(float), scores)
    return {
        "run": (run_page, content),
        "many classes": (run_page, many),
        "interrupted": (run_page, content | {"state": "interrupted", "log": log}),
        "killed": (run_page, content | {"state": "interrupted", "log": log, "metrics": {}, "stored": {}}),
        "comparison": (comparison_page, COMPARED),
        "contributions": (explanation_page, pm.explain(shop_run, table)),
        "contributions in rows": (explanation_page, pm.explain(shop_run, table, rows=[1, 2])),
        "robustness": (robustness_page, pm.robustness(shop_run, table)),
    }


KINDS = ("run", "many classes", "interrupted", "killed", "comparison", "contributions", "contributions in rows", "robustness")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as found:
        yield found


@pytest.fixture
def window(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("window", [(400, "light"), (400, "dark"), (1200, "light"), (1200, "dark")], indirect=True, ids=str)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_the_window(
    kind: str, language: str, window: Page, pages: dict[str, tuple[Any, dict[str, Any]]], tmp_path: Path
) -> None:
    page, data = pages[kind]
    file, requests = tmp_path / "page.html", []
    file.write_text(page(renamed(data), language), encoding="utf-8")
    window.on("request", lambda one: requests.append(one.url))
    window.goto(file.as_uri())
    window.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert window.evaluate("document.documentElement.scrollWidth") == window.viewport_size["width"]  # type: ignore[index]
    assert window.evaluate(_OUTSIDE) == []
    assert window.evaluate(_ONE_LETTER) == []
    for chart in window.evaluate(_LABELS):
        assert chart["height"] > 8
        assert (chart["outside"], chart["overlaps"]) == (0, 0)
    found = Axe().run(window, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")] == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("window", [(400, "light")], indirect=True, ids=str)
def test_a_wide_table_scrolls_in_its_box_with_its_first_column_in_view(
    window: Page, pages: dict[str, tuple[Any, dict[str, Any]]], tmp_path: Path
) -> None:
    page, data = pages["many classes"]
    (tmp_path / "page.html").write_text(page(renamed(data), "en"), encoding="utf-8")
    window.goto((tmp_path / "page.html").as_uri())
    box = window.locator(".scroll:has(.counts)")
    assert box.evaluate("one => one.scrollWidth > one.clientWidth + 50")
    label = box.locator("tr").nth(3).locator("th")
    before = label.bounding_box()
    box.evaluate("one => { one.scrollLeft = 120 }")
    assert label.bounding_box() == before
    assert before is not None
    assert before["width"] < 170
