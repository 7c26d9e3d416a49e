"""A picture of the page of ``polymodal serve``, with the prediction for one row, as PNG.

polymodal serve runs/demo --port 8000
python docs/page_picture.py http://127.0.0.1:8000 docs/images/page.png picture=test/4.png question="what color is the circle?"
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_WIDTH = 1100


def take(address: str, file: Path, cells: dict[str, str]) -> None:
    """Fill in a row, predict it, and save what is shown when its explanation is complete.

    :param cells: by column: a text, or the path of a file
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": 400}, locale="en-US")
        page.goto(address)
        for column, cell in cells.items():
            shown = page.get_by_label(column, exact=False).first
            if Path(cell).is_file():
                shown.set_input_files(cell)
            else:
                shown.fill(cell)
        page.get_by_role("button", name="Predict").click()
        page.wait_for_selector(".fields .bar")
        page.screenshot(path=file, full_page=True)
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1], Path(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))
