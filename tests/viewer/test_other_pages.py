"""`nic.js` on other pages: <nic-image>, and the decoder by itself.

Where there is no Chromium (`apt-get install chromium`), or no playwright, these tests are skipped.
"""

import shutil

import numpy as np
import pytest
from fuzz.corpus import GOLDEN
from PIL import Image
from viewer.window import DESK, Window

ELEMENTS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="icon.svg">
<script type="module" src="told.js"></script><script type="module" src="nic.js"></script>
<nic-image src="odd-size.nic" alt="odd" style="width: 50px"></nic-image>
<nic-image src="alpha.nic" alt="alpha"></nic-image>
<nic-image src="nowhere.nic" alt="nowhere"></nic-image>
"""
TOLD = """for (const kind of ["load", "error"])
  document.addEventListener(kind, ({ target }) => {
    if (target.localName === "nic-image") document.body.dataset.told = Number(document.body.dataset.told ?? 0) + 1;
  }, true);
"""


@pytest.fixture(scope="module")
def page_files(page_files):
    """With ELEMENTS as elements.html, and two files."""
    (page_files / "elements.html").write_text(ELEMENTS)
    (page_files / "told.js").write_text(TOLD)
    for name in ("odd-size.nic", "alpha.nic"):
        shutil.copy(GOLDEN / name, page_files)
    return page_files


def test_pictures_on_other_pages(browser, address):
    window = Window(browser, f"{address}elements.html", **DESK)
    page = window.page
    page.locator("body[data-told='3']").wait_for()
    images = page.locator("nic-image")
    sizes = [images.nth(number).evaluate("image => [image.naturalWidth, image.naturalHeight]") for number in range(3)]
    assert sizes == [[100, 75], [40, 30], [0, 0]]
    assert images.nth(0).bounding_box()["width"] == 50
    assert images.nth(0).bounding_box()["height"] == pytest.approx(37.5, abs=6)  # it stands on a line of text
    assert page.get_by_role("img", name="alpha").count() == 1
    assert images.nth(2).get_by_text("nowhere").is_visible()
    assert "404" in images.nth(2).get_attribute("title")
    window.check(address)


def test_a_browser_that_computes_other_integers_gives_nothing(browser, address):
    window = Window(browser, f"{address}icon.svg", **DESK)
    window.computes_wrongly()
    window.page.goto(f"{address}elements.html")
    page = window.page
    page.locator("body[data-told='3']").wait_for()
    for number in range(2):
        image = page.locator("nic-image").nth(number)
        assert "computes the model tiny differently" in image.get_attribute("title")
        assert image.evaluate("image => image.naturalWidth") == 0
    message = page.evaluate(
        """async () => {
          const { decode } = await import("./nic.js");
          return decode(await (await fetch("odd-size.nic")).arrayBuffer()).catch(error => error.message);
        }"""
    )
    assert "computes the model tiny differently" in message


def test_the_module_decodes(browser, address):
    window = Window(browser, f"{address}elements.html", **DESK)
    found = window.page.evaluate(
        """async () => {
          const { decode } = await import("./nic.js");
          const get = async name => (await fetch(name)).arrayBuffer();
          const { data, width, height } = await decode(await get("odd-size.nic"));
          const damaged = await decode((await get("odd-size.nic")).slice(0, 90)).catch(error => error.message);
          return { pixels: [...data], width, height, damaged };
        }"""
    )
    pixels = np.reshape(found["pixels"], (found["height"], found["width"], 4))
    expected = np.asarray(Image.open(GOLDEN / "odd-size.png"), int)
    assert np.abs(pixels[..., :3] - expected).max() <= 1
    assert (pixels[..., 3] == 255).all()
    assert "cut short" in found["damaged"]
    window.check(address)
