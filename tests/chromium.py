"""Debian's Chromium for tests of pages. Where it (`apt-get install chromium`) or playwright is missing, a module that
imports this is skipped."""

import shutil
from contextlib import contextmanager

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright, of the extra dev, is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)


@contextmanager
def running():
    with playwright.sync_playwright() as driver:
        # Its sandbox needs what containers and root do not have; the pages are our own.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
