"""The page in Chromium: what a person does with it, without scripts of others, at every width, and for screen readers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import polymodal as pm
from builders.browsers import CHROMIUM, Visit, opened
from builders.servers import Served, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as found:
        yield found


@pytest.fixture(scope="module")
def server(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}) as served:
        yield served


@pytest.fixture
def visit(browser: Browser, server: Served) -> Iterator[Visit]:
    visit = Visit(browser, server)
    yield visit
    visit.context.close()
    assert visit.problems == []
    assert visit.outside == []


def shares(model: pm.Predictor, row: dict[str, Any]) -> dict[str, str]:
    """Return the probabilities of the predictor as the page shows them."""
    return {
        str(label): f"{100 * score:.1f}".removesuffix(".0") + "%"
        for label, score in zip(model.classes, model.predict_proba([row])[0], strict=True)
    }


def test_a_row_that_is_filled_in_gets_the_prediction_of_the_predictor(visit: Visit, shop_run: Path, shop_folder: Path) -> None:
    page, photo = visit.page, next(shop_folder.rglob("*.png"))
    page.set_input_files("input[type=file]", str(photo))
    page.get_by_label("标题").fill("红 苹果")
    page.get_by_label("price").fill("3.5")
    page.get_by_role("button", name="Predict").click()
    page.wait_for_selector("section .answer")
    model = pm.load(shop_run)
    row = {"photo": photo.read_bytes(), "标题": "红 苹果", "price": 3.5, "region": None}
    expected = shares(model, row)
    assert visit.probabilities() == expected
    assert page.locator("section .answer").inner_text() == model.predict([row])[0]
    page.wait_for_selector(".fields .bar")  # the contributions
    assert page.get_by_role("switch").count() == 3
    assert page.locator(".map img").count() == 1

    page.get_by_role("switch", name="Use the field photo").click()
    page.wait_for_selector("h2:has-text('Without photo')")
    assert visit.probabilities() == shares(model, {**row, "photo": None})
    assert "with all fields" in page.locator("#main").inner_text()
    page.get_by_role("switch", name="Use the field photo").press("Space")
    page.wait_for_selector("h2:has-text('Prediction')")
    assert visit.probabilities() == expected


def test_an_example_is_predicted_at_once(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Example 2").click()
    visit.page.wait_for_selector("section .answer")
    assert visit.page.get_by_label("price").input_value()
    visit.page.get_by_role("button", name="Clear").click()
    assert visit.page.get_by_label("price").input_value() == ""
    assert visit.page.locator("section .answer").count() == 0


def test_the_camera_gives_a_picture(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take the picture").click()
    page.wait_for_selector(".shown img")
    page.get_by_role("button", name="Predict").click()
    page.wait_for_selector("section .answer")
    assert page.get_by_role("switch", name="Use the field photo").is_enabled()
    page.get_by_role("button", name="Remove").click()
    assert page.locator(".shown img").count() == 0


def test_a_cell_that_cannot_be_read_is_a_message(browser: Browser, server: Served, tmp_path: Path) -> None:
    visit = Visit(browser, server)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no picture")
    visit.page.set_input_files("input[type=file]", str(tmp_path / "broken.png"))
    visit.page.get_by_role("button", name="Predict").click()
    visit.page.locator("#alert:not(:empty)").wait_for()
    assert "row 1, photo" in visit.page.get_by_role("alert").inner_text()
    assert visit.page.get_by_role("button", name="Predict").is_enabled()
    visit.context.close()


def test_a_table_gives_predictions_to_download(visit: Visit, shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    page = visit.page
    page.get_by_role("tab", name="Table").click()
    page.set_input_files("input[accept]", str(shop_folder / "other.csv"))
    photos = shop_folder / "photos" if (shop_folder / "photos").is_dir() else next(shop_folder.rglob("*.png")).parent
    page.set_input_files("input[webkitdirectory]", str(photos))
    page.get_by_role("button", name="Predict the table").click()
    page.wait_for_selector("a[download]")
    with page.expect_download() as download:
        page.click("a[download]")
    assert download.value.suggested_filename == "other.predictions.csv"
    download.value.save_as(tmp_path / "predictions.csv")
    lines = (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()
    scores = [[float(cell) for cell in line.split(",")[2:5]] for line in lines[1:]]
    expected = pm.load(shop_run, root=[shop_folder]).predict_proba(shop_folder / "other.csv")
    assert scores == expected.tolist()
    assert page.locator(".scroll tbody tr").count() == 20
    assert page.locator("#main").inner_text().count("70 rows") == 1


def test_the_report_is_shown_with_its_style(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Report").click()
    heading = visit.page.get_by_role("heading", name="Metrics")
    heading.wait_for()
    assert heading.evaluate("one => getComputedStyle(one).fontSize") == "19px"
    bar = visit.page.locator(".legend i").first
    assert bar.evaluate("one => getComputedStyle(one).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_a_request_can_be_tried(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="API").click()
    visit.page.get_by_role("button", name="Send").click()
    visit.page.wait_for_selector("pre:has-text('predictions')")
    assert "label:red" in visit.page.locator("pre").first.inner_text()
    assert "/models/shop/predict" in visit.page.locator("#main").inner_text()


def test_tabs_are_reached_by_arrow_keys(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Predict").focus()
    visit.page.keyboard.press("ArrowLeft")
    assert visit.page.get_by_role("tab", name="API").get_attribute("aria-selected") == "true"
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.evaluate("document.activeElement.textContent") == "Predict"


def test_the_language_is_that_of_the_browser_and_can_be_changed(browser: Browser, server: Served) -> None:
    visit = Visit(browser, server, locale="zh-CN")
    assert visit.page.get_by_role("button", name="预测").count() == 1
    assert visit.page.get_attribute("html", "lang") == "zh-Hans"
    visit.page.get_by_role("button", name="English").click()
    visit.page.get_by_role("button", name="Predict", exact=True).wait_for()
    visit.page.reload()
    visit.page.get_by_role("button", name="Predict", exact=True).wait_for()
    assert visit.problems == []
    visit.context.close()


def test_the_token_is_requested_and_kept(browser: Browser, shop_run: Path) -> None:
    token = "0123456789abcdef"
    with serving({"shop": shop_run}, token=token) as server:
        visit = Visit(browser, server)
        visit.page.get_by_label("This server needs a token").last.fill("wrong")
        visit.page.get_by_role("button", name="Continue").click()
        visit.page.get_by_text("The token is not correct").wait_for()
        visit.page.fill("#token", token)
        visit.page.get_by_role("button", name="Continue").click()
        visit.page.get_by_role("button", name="Example 1").click()
        visit.page.wait_for_selector("section .answer")
        visit.page.get_by_role("tab", name="Report").click()
        visit.page.get_by_role("heading", name="Metrics").wait_for()
        visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("view", ["predict", "table", "report", "api"])
def test_every_view_is_accessible_and_fits(browser: Browser, server: Served, view: str, width: int, scheme: str) -> None:
    visit = Visit(browser, server, f"/#{view}", width, color_scheme=scheme)
    if view == "predict":
        visit.page.get_by_role("button", name="Example 1").click()
        visit.page.wait_for_selector(".fields .bar")
    if view == "report":
        visit.page.get_by_role("heading", name="Metrics").wait_for()
    assert visit.violations() == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.problems == []
    assert visit.outside == []
    visit.context.close()
