"""The page of the viewer in Debian's Chromium: what people do on it. No request may leave the origin.

Where there is no Chromium (`apt-get install chromium`), or no playwright, these tests are skipped.
"""

import base64
import io
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from chromium import playwright
from fuzz.corpus import GOLDEN
from fuzz.structure import Part, put_together, take_apart
from PIL import Image, ImageCms
from viewer.window import DESK, PHONE, Window, facts, pick, saved, shown, wait

import imgcodec
from imgcodec.bitstream import container
from imgcodec.bitstream.header import MAX_CALLS
from imgcodec.bitstream.payload import pack_bytes
from imgcodec.bitstream.token_sections import Part as TokenPart
from imgcodec.bitstream.token_sections import token_section
from imgcodec.pictures import cicp

EXACT = json.loads((GOLDEN / "exact.json").read_text())["files"]
INDEX = json.loads((GOLDEN / "golden.json").read_text())
DISPLAY_P3 = (12, 13)


@pytest.fixture(scope="module")
def window(browser, address):
    return Window(browser, address, **DESK)


@pytest.fixture
def page(window, address):
    """One page for all tests, for it takes a while until the runtime is compiled."""
    yield window.page
    window.page.keyboard.press("Escape")  # closes the panel
    window.check(address)


def test_golden_files_come_to_their_tokens_and_pixels(page):
    for name, entry in INDEX["files"].items():
        pick(page, f"{name}.nic", (GOLDEN / f"{name}.nic").read_bytes())
        assert wait(page) == "", name
        assert facts(page)["tokens’ SHA-256"] == entry["tokens_sha256"], name
        expected, found = Image.open(GOLDEN / f"{name}.png"), saved(page)
        assert found.mode == expected.mode == entry["mode"]
        difference = np.abs(np.asarray(found, int) - np.asarray(expected, int))
        assert difference.max() <= 1, name
        if found.mode == "RGBA":
            assert not difference[..., 3].any()
        else:
            seen = shown(page)[..., :3]
            assert np.abs(seen - np.asarray(expected.convert("RGB"), int)).max() <= 1, name


@pytest.mark.parametrize("name", ["drawing", "tiles", "alpha", "12-bits", "16-bits", "one-bit"])
def test_exact_pixels_are_those_of_the_program(page, name):
    data = (GOLDEN / f"exact-{name}.nic").read_bytes()
    pick(page, f"{name}.nic", data)
    assert wait(page) == ""
    assert facts(page)["tokens’ SHA-256"] == EXACT[f"exact-{name}"]["samples_sha256"]
    expected, found = imgcodec.decompress(data), saved(page)
    if imgcodec.info(data).bit_depth <= 8:
        assert found.mode == expected.mode
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    seen, wanted = shown(page), np.asarray(expected.convert("RGBA"), int)
    np.testing.assert_array_equal(seen[..., 3], wanted[..., 3])
    opaque = wanted[..., 3] == 255  # a canvas multiplies others with their alpha
    np.testing.assert_array_equal(seen[opaque], wanted[opaque])


def test_exact_blocks_are_shown(page, tiny_model):
    data = (GOLDEN / "exact-blocks.nic").read_bytes()
    pick(page, "blocks.nic", data)
    assert wait(page) == ""
    expected = np.asarray(tiny_model.decompress(data), int)
    found = np.asarray(saved(page), int)
    assert np.abs(found - expected).max() <= 1
    np.testing.assert_array_equal(found[64:128, :64], expected[64:128, :64])
    np.testing.assert_array_equal(shown(page)[..., :3], found)


def test_metadata_is_shown_and_saved(page):
    pick(page, "everything.nic", (GOLDEN / "everything.nic").read_bytes())
    assert wait(page) == ""
    told = facts(page)
    assert told["ICC profile"] == "sRGB built-in"
    assert told["density"] == "300 × 150 per inch"
    assert told["tiles"] == "6 of 64 pixels"
    found = saved(page)
    expected = Image.open(GOLDEN / "everything.png")
    assert found.info["icc_profile"]
    assert found.info["xmp"] == b"<x:xmpmeta/>"
    assert found.info["dpi"] == pytest.approx((300, 150), abs=0.2)
    assert dict(found.getexif())
    assert found.size == expected.size


def test_profiles_are_brought_to_the_colours_of_the_page(page):
    icc = cicp.profile(DISPLAY_P3)
    parts = take_apart((GOLDEN / "random-tokens.nic").read_bytes())
    *tokens, end = parts.sections
    data = put_together(replace(parts, sections=(Part(128, 0, 0, pack_bytes(icc)), *tokens, end)))
    pick(page, "p3.nic", data)
    assert wait(page) == ""
    plain = Image.open(GOLDEN / "random-tokens.png")
    profiles = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
    expected = np.asarray(ImageCms.profileToProfile(plain, *profiles), int)
    seen = shown(page)[..., :3]
    assert np.abs(seen - expected).mean() < 0.3
    assert np.abs(seen - np.asarray(plain, int)).mean() > 1
    assert np.abs(np.asarray(saved(page), int) - np.asarray(plain, int)).max() <= 1


def test_a_file_is_dropped(page):
    data = base64.b64encode((GOLDEN / "odd-size.nic").read_bytes()).decode()
    page.evaluate(
        """text => {
          const files = new DataTransfer();
          files.items.add(new File([Uint8Array.from(atob(text), letter => letter.charCodeAt(0))], "odd-size.nic"));
          const event = kind => new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
          document.getElementById("port").dispatchEvent(event("dragover"));
          document.getElementById("port").dispatchEvent(event("drop"));
        }""",
        data,
    )
    assert wait(page) == ""
    assert page.title().startswith("odd-size.nic")
    assert page.locator("body.drop").count() == 0
    assert page.locator("#status").inner_text().startswith("100 × 75, 7,500 pixels")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(60), "not a .nic file", id="png"),
        ((GOLDEN / "odd-size.nic").read_bytes()[:-20], "cut short"),
        ((GOLDEN / "divided-damaged.nic").read_bytes(), "damaged"),
        pytest.param((GOLDEN / "bsq-random.nic").read_bytes(), "profile raster", id="raster"),
        pytest.param((GOLDEN / "semantic-random.nic").read_bytes(), "profile semantic", id="semantic"),
    ],
)
def test_what_cannot_be_shown_gets_a_sentence(page, data, word):
    pick(page, "a.nic", data)
    sentence = wait(page)
    assert word in sentence
    assert sentence.endswith(".")
    pick(page, "b.nic", (GOLDEN / "odd-size.nic").read_bytes())  # and the page goes on
    page.wait_for_selector("#save:not([hidden])")
    assert page.locator("#fault").is_hidden()


def test_a_model_that_is_missing_is_named(page):
    parts = take_apart((GOLDEN / "odd-size.nic").read_bytes())
    pick(page, "a.nic", put_together(replace(parts, fields=parts.fields[:6] + bytes(range(8)))))
    assert "needs the model 0001020304050607" in wait(page)


def test_a_browser_that_computes_other_integers_is_told(browser, address):
    window = Window(browser, address, **DESK)
    window.computes_wrongly()
    header = container.read((GOLDEN / "version-2.nic").read_bytes()).header
    parts = [TokenPart(0, header.first_calls, bytes(9)), TokenPart(header.first_calls, MAX_CALLS, bytes(9))]
    damaged = container.write(header, [token_section(0, part, MAX_CALLS) for part in parts])
    for data in [(GOLDEN / "two-tiles.nic").read_bytes()] * 2 + [damaged]:  # which it may only seem to be
        pick(window.page, "a.nic", data)
        assert "computes the model tiny differently" in wait(window.page)
        assert window.page.locator("#canvas").is_hidden()
        assert window.page.locator("#save").is_hidden()
    pick(window.page, "b.nic", (GOLDEN / "exact-gray.nic").read_bytes())  # which has no model
    assert wait(window.page) == ""
    window.check(address)


@pytest.mark.parametrize("name", ["tables.bin", "layers.onnx", "analysis.onnx"])
def test_a_part_of_a_model_that_does_not_come_is_told_and_fetched_again(browser, address, name):
    came = []

    def but_for_the_first(route):
        came.append(route.request.url)
        route.fulfill(status=404) if len(came) == 1 else route.continue_()

    window = Window(browser, address, **DESK)
    window.page.context.route(f"**/{name}.zz", but_for_the_first)
    png = io.BytesIO()
    Image.new("RGB", (64, 64)).save(png, "PNG")
    file = ("a.png", png.getvalue()) if name == "analysis.onnx" else ("a.nic", (GOLDEN / "odd-size.nic").read_bytes())
    pick(window.page, *file)
    assert f"beside this page is damaged: {name}.zz is missing" in wait(window.page)
    pick(window.page, *file)
    assert wait(window.page) == ""
    assert len(came) == 2


@pytest.mark.parametrize(("size", "fault"), [(0, "the weights of a table"), (-1, "tables.bin has another size")])
def test_damaged_tables_of_a_model_are_told(browser, address, size, fault):
    def with_zeros(route):
        length = len(zlib.decompress(route.fetch().body())) + size
        route.fulfill(body=zlib.compress(bytes(length)))

    window = Window(browser, address, **DESK)
    window.page.context.route("**/tables.bin.zz", with_zeros)
    pick(window.page, "a.nic", (GOLDEN / "odd-size.nic").read_bytes())
    assert f"beside this page is damaged: {fault}" in wait(window.page)


def test_zoom_and_pan(page):
    pick(page, "two-tiles.nic", (GOLDEN / "two-tiles.nic").read_bytes())
    assert wait(page) == ""
    canvas, scale = page.locator("#canvas"), page.locator("#scale")
    assert canvas.bounding_box()["width"] == pytest.approx(1000)  # fitted
    page.keyboard.press("1")
    assert scale.inner_text() == "100 %"
    assert canvas.bounding_box()["width"] == pytest.approx(1100)
    before = canvas.bounding_box()["x"]
    page.mouse.move(500, 350)
    page.mouse.down()
    page.mouse.move(470, 350)
    page.mouse.up()
    assert canvas.bounding_box()["x"] == pytest.approx(before - 30)
    page.locator("#in").click()
    page.keyboard.press("+")
    assert scale.inner_text() == "200 %"
    page.mouse.move(500, 350)
    page.mouse.wheel(0, -400)
    playwright.expect(scale).to_have_text("400 %")
    page.keyboard.press("0")
    assert canvas.bounding_box()["width"] == pytest.approx(1000)


def test_panel_by_key_and_button(page):
    pick(page, "a.nic", b"")
    assert wait(page)
    page.keyboard.press("i")
    assert page.locator("#panel").is_hidden()  # there is nothing to tell
    pick(page, "odd-size.nic", (GOLDEN / "odd-size.nic").read_bytes())
    assert wait(page) == ""
    page.keyboard.press("i")
    assert page.locator("#panel").is_visible()
    assert page.locator("#facts").get_attribute("aria-expanded") == "true"
    told = facts(page)
    assert told["size"] == "100 × 75 pixels"
    assert told["quality"] == "62.5, tune psnr"
    assert told["model"] == "tiny"
    rows = page.locator("#panel tr").all_inner_texts()
    assert sum(int(row.split("\t")[1]) for row in rows) == len((GOLDEN / "odd-size.nic").read_bytes())
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()


def test_an_address_is_opened(browser, address):
    window = Window(browser, f"{address}?src=nowhere.nic", **DESK)
    assert "could not be fetched: 404" in wait(window.page)
    window.check(address)


def test_a_phone_in_the_dark(browser, address):
    window = Window(browser, address, **PHONE, color_scheme="dark")
    page = window.page
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) < 40
    pick(page, "two-tiles.nic", (GOLDEN / "two-tiles.nic").read_bytes())
    assert wait(page) == ""
    page.locator("#facts").tap()
    assert page.locator("#panel").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.locator("#in").tap()
    assert page.locator("#canvas").bounding_box()["width"] > 360
    window.check(address)


def test_a_picture_is_compressed(page, tiny_model):
    pixels = np.asarray(Image.open(GOLDEN.parents[1] / "examples" / "photo.png").convert("RGB"))[200:330, 100:300]
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    pick(page, "part.png", png.getvalue())
    assert wait(page) == ""
    sizes = []
    for quality in ("50", "90"):
        if quality != "50":
            page.locator("#quality input").evaluate(
                "(input, value) => { input.value = value; input.dispatchEvent(new Event('change')); }", quality
            )
            assert wait(page) == ""
        with page.expect_download() as download:
            page.locator("#keep").click()
        data = download.value.path().read_bytes()
        assert download.value.suggested_filename == "part.nic"
        tokens = tiny_model.read_tokens(data)
        assert (tokens.header.width, tokens.header.height, tokens.header.quality) == (200, 130, int(quality) * 256)
        assert facts(page)["tokens’ SHA-256"] == tokens.sha256()
        page.keyboard.press("Escape")
        ours = tiny_model.compress(pixels, quality=int(quality), exact=False)  # the page keeps no pixels exactly
        assert len(data) == pytest.approx(len(ours), rel=0.02, abs=15)
        decoded = np.asarray(tiny_model.decompress(data), int)
        assert np.abs(np.asarray(saved(page), int) - decoded).max() <= 1
        sizes.append(len(data))
    assert sizes[0] < sizes[1]
    assert f"{sizes[1]:,} bytes, of {len(png.getvalue()):,}" in page.locator("#status").inner_text()


def test_the_original_is_beside_it(page):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 40:] = 255
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    pick(page, "edge.png", png.getvalue())
    assert wait(page) == ""
    original = page.locator("#original")
    assert original.bounding_box() == page.locator("#canvas").bounding_box()
    page.locator("#divide").focus()
    page.keyboard.press("Home")
    assert original.evaluate("canvas => getComputedStyle(canvas).clipPath") == "inset(0px 100% 0px 0px)"
    page.keyboard.press("End")
    assert original.evaluate("canvas => getComputedStyle(canvas).clipPath") == "inset(0px 0% 0px 0px)"
    pick(page, "odd-size.nic", (GOLDEN / "odd-size.nic").read_bytes())  # and it goes with its picture
    assert wait(page) == ""
    assert original.is_hidden()
    assert page.locator("#compare").is_hidden()
    assert page.locator("#keep").is_hidden()
