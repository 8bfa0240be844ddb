"""The viewer's page in a browser: how tests open files there, and see what it shows."""

import base64
import io

import numpy as np
from chromium import playwright
from PIL import Image

DESK = {"viewport": {"width": 1000, "height": 700}}
PHONE = {"viewport": {"width": 360, "height": 700}, "is_mobile": True, "has_touch": True}
PATIENCE = 120_000  # milliseconds, on a machine that is busy


class Window:
    """A page on a kind of screen, with what it tells and fetches."""

    def __init__(self, browser, address, **screen):
        self.told, self.fetched = [], []
        self.page = browser.new_context(**screen).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda message: self.told.append(message.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("request", lambda request: self.fetched.append(request.url))
        self.page.goto(address)

    def computes_wrongly(self):
        """From now on models must give another answer than they do, as in a browser that computes other integers."""

        def with_another_answer(route):
            manifest = route.fetch().json()
            manifest["known_answer"]["sha256"] = "00" * 32
            route.fulfill(json=manifest)

        self.page.context.route("**/model.json", with_another_answer)

    def check(self, address):
        """No message may have come but of files that are not there and of how the tests look at a canvas, and no
        request have left the origin."""
        assert [text for text in self.told if "404" not in text and "readback" not in text] == []
        # a library carries its WebAssembly in an address of data, and what is saved comes from a blob
        own = (address, "data:application/wasm", f"blob:{address}")
        assert [url for url in self.fetched if not url.startswith(own)] == []
        assert self.fetched


def pick(page, name, data):
    """Opens a file, and waits until the page has begun with it and put away what was there."""
    page.evaluate("document.getElementById('name').textContent = ''")  # a file before it may have had the same name
    page.locator("#file").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})
    playwright.expect(page.locator("#name")).to_have_text(name, timeout=PATIENCE)


def wait(page):
    """Until the picture is there, or a sentence, which is returned."""
    page.wait_for_selector("#save:not([hidden]), #fault:not([hidden])")
    return page.locator("#fault").inner_text() if page.locator("#fault").is_visible() else ""


def saved(page):
    """What the button saves."""
    with page.expect_download() as download:
        page.locator("#save").click()
    return Image.open(io.BytesIO(download.value.path().read_bytes()))


def facts(page):
    """The panel as a dictionary."""
    if page.locator("#panel").is_hidden():
        page.locator("#facts").click()
    return dict(
        zip(page.locator("#panel dt").all_inner_texts(), page.locator("#panel dd").all_inner_texts(), strict=True)
    )


def shown(page):
    """The pixels of the canvas, RGBA."""
    text = page.evaluate(
        """() => {
          const canvas = document.getElementById("canvas"), context = canvas.getContext("2d");
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height, { colorSpace: "srgb" });
          let text = "";
          for (let at = 0; at < data.length; at += 30000)
            text += String.fromCharCode(...data.subarray(at, at + 30000));
          return [btoa(text), canvas.width, canvas.height];
        }"""
    )
    return np.frombuffer(base64.b64decode(text[0]), np.uint8).reshape(text[2], text[1], 4).astype(int)
