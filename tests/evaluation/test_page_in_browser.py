"""The page of a report in Debian's Chromium, without a network: what people do on it, with the mouse and the keyboard.

Where there is no Chromium (`apt-get install chromium`), or no playwright, these tests are skipped.
"""

import io

import chromium
import numpy as np
import pytest
from evaluation.reports import HOSTILE, page_of_pictures
from PIL import Image

DESK = {"viewport": {"width": 1000, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 700}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def browser():
    with chromium.running() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of_pictures(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page on a kind of screen. In the end no message may have come, and nothing been fetched."""
    told, fetched, contexts = [], [], []

    def open_page(**screen):
        context = browser.new_context(**screen)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert told == []
    assert {url for url in fetched if not url.startswith("data:")} == {address}


def seen(element) -> np.ndarray:
    """The pixels of an element, which may begin between two of the screen."""
    element.scroll_into_view_if_needed()
    clip = {name: round(value) for name, value in element.bounding_box().items()}
    return np.asarray(Image.open(io.BytesIO(element.page.screenshot(clip=clip))).convert("RGB")).astype(int)


def test_the_slider_divides_two_pictures(opened):
    page = opened(**DESK)
    panel = page.locator(".panel").first
    stage, slider = panel.locator(".stage"), panel.locator("input[type=range]")
    left, right = panel.locator("select").all()
    assert left.locator("option").all_text_contents() == ["original", "imgcodec <b>", "JPEG", "AVIF"]
    assert (left.input_value(), right.input_value()) == ("1", "2")
    slider.focus()
    page.keyboard.press("Home")
    all_right = seen(stage)
    page.keyboard.press("End")
    all_left = seen(stage)
    assert np.abs(all_left - all_right)[:, 20:-20].max() > 20
    page.keyboard.press("Home")
    panel.locator(".port").focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    assert slider.input_value() == "500"
    half, middle = seen(stage), all_left.shape[1] // 2
    assert np.array_equal(half[:, : middle - 5], all_left[:, : middle - 5])
    assert np.array_equal(half[:, middle + 5 :], all_right[:, middle + 5 :])
    assert panel.locator(".told div").first.inner_text().startswith("imgcodec <b>\n")
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + 20, steps=3)
    page.mouse.up()
    assert 700 < int(slider.input_value()) < 800


def test_what_is_seen_are_the_pixels_of_the_picture(opened):
    from evaluation.reports import PICTURES

    page = opened(**DESK)
    panel = page.locator(".panel").nth(1)
    panel.locator("select").first.select_option("original")
    panel.locator("input[type=range]").focus()
    page.keyboard.press("End")
    original = PICTURES[HOSTILE[1]].astype(int)
    shown = seen(panel.locator(".stage"))
    assert shown.shape == original.shape
    assert np.abs(shown - original)[:, :-4].max() <= 1


def test_differences_are_black_where_nothing_differs(opened):
    page = opened(**DESK)
    panel = page.locator(".panel").first
    port, stage = panel.locator(".port"), panel.locator(".stage")
    port.focus()
    page.keyboard.press("d")
    assert panel.locator("input[type=checkbox]").is_checked()
    page.keyboard.press("o")
    assert panel.locator("select").first.input_value() == "0"
    shown = seen(stage)
    middle = shown.shape[1] // 2
    assert shown[:, : middle - 5].max() == 0
    assert shown[:, middle + 5 :].mean() > 5
    page.keyboard.press("o")
    assert panel.locator("select").first.input_value() == "1"
    assert seen(stage)[:, : middle - 5].mean() > 1


def test_zoom_by_button_and_key(opened):
    page = opened(**DESK)
    panel = page.locator(".panel").first
    stage = panel.locator(".stage")
    assert stage.bounding_box()["width"] == 200
    panel.get_by_label("Zoom in").click()
    assert stage.bounding_box()["width"] == 400
    panel.locator(".port").focus()
    for _ in range(4):
        page.keyboard.press("+")
    assert panel.locator("output").inner_text() == "800 %"
    assert stage.bounding_box()["width"] == 1600
    scrolled = panel.locator(".port").evaluate("port => [port.scrollLeft, port.scrollWidth - port.clientWidth]")
    assert scrolled[0] == pytest.approx(scrolled[1] / 2, abs=2)  # the middle has stayed there
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("-")
    assert panel.locator("output").inner_text() == "600 %"
    page.keyboard.press("0")
    assert stage.bounding_box()["width"] == 200


def test_tables_sort(opened):
    page = opened(**DESK)
    table = page.locator("#pictures table")
    names = lambda: [row.strip() for row in table.locator("tbody th").all_text_contents()]  # noqa: E731
    column = lambda n: table.locator(f"tbody td:nth-child({n})").evaluate_all(  # noqa: E731
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    heading = table.locator("thead th").nth(1)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(2) == [64 * 64, 150 * 200, 180 * 240]
    page.keyboard.press("Enter")  # the button has the focus
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(2) == [180 * 240, 150 * 200, 64 * 64]
    table.locator("thead th").first.locator("button").click()
    assert heading.get_attribute("aria-sort") == "none"
    assert sorted(names()) == sorted([*HOSTILE, "2.png"])
    assert names()[-1].startswith("<") or names()[-1] == "2.png"


def test_curves_are_read_with_the_keyboard(opened):
    page = opened(**DESK)
    chart = page.locator(".chart").first
    assert page.locator(".chart canvas").count() == 3
    drawn = seen(chart.locator("canvas"))
    chart.locator("[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    told = chart.locator("output").inner_text()
    assert "bits per pixel: " in told
    assert "JPEG " in told
    page.keyboard.press("ArrowRight")
    assert chart.locator("output").inner_text() != told
    page.locator(".codecs label", has_text="JPEG").click()
    page.keyboard.press("Shift+Tab")
    chart.locator("[tabindex]").focus()
    page.keyboard.press("ArrowLeft")
    assert "JPEG" not in chart.locator("output").inner_text()
    assert np.abs(seen(chart.locator("canvas")) - drawn).max() > 50


def test_a_phone_in_the_dark(opened):
    page = opened(**PHONE, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) < 40
    assert seen(page.locator(".chart").first).mean() < 60
    first, *_ = page.locator(".panel").all()
    first.locator("input[type=range]").tap()
    first.get_by_label("Zoom in").tap()
    assert first.locator("output").inner_text() == "200 %"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_pictures_and_tables_are_there(opened):
    page = opened(**DESK, java_script_enabled=False)
    assert page.locator(".layers img").count() == 8
    assert page.locator(".layers img").first.is_visible()
    assert page.locator("#bd td").first.is_visible()
