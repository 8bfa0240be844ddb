"""The page of a report, as text. What it does in a browser is in test_page_in_browser.py."""

import json
import re
from html.parser import HTMLParser

import pytest
from evaluation.reports import HOSTILE, report_of_pictures

from imgcodec.evaluation import page

VOID = {"meta", "link", "img", "br", "input"}


class Outline(HTMLParser):
    """Elements that are open where one ends, the text in each kind, and all addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.texts, self.addresses = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(text)


@pytest.fixture(scope="module")
def report_and_panels():
    return report_of_pictures()


@pytest.fixture(scope="module")
def outline(report_and_panels):
    return Outline(page.render(*report_and_panels))


def test_it_is_well_formed_and_names_are_text(outline):
    assert outline.open == []
    headings = [text.strip() for text in outline.texts["h3"]]
    assert headings[-2:] == HOSTILE
    assert set(HOSTILE) <= {text.strip() for text in outline.texts["th"]}
    scripts = outline.texts["script"]
    assert len(scripts) == 3  # the data, uPlot and ours
    assert not any("alert(" in script for script in scripts)


def test_nothing_is_fetched(outline):
    assert all(address.startswith(("data:", "#")) for address in outline.addresses)
    assert sum(address.startswith("data:image/") for address in outline.addresses) == 2 * 4
    styles = "".join(outline.texts["style"])
    assert "url(" not in styles
    assert "@import" not in styles


def test_curves_are_data(report_and_panels, outline):
    report, _ = report_and_panels
    metrics = json.loads(outline.texts["script"][0])
    assert [metric["title"] for metric in metrics] == list(page.METRIC_TITLES.values())
    ours, jpeg, avif = metrics[0]["curves"]
    assert (ours["codec"], ours["ours"], jpeg["codec"], avif["codec"]) == ("imgcodec <b>", True, "JPEG", "AVIF")
    assert ours["points"] == [[mean.bpp, mean.psnr] for mean in report.means["imgcodec <b>"]]


def test_figures_are_those_of_the_report(report_and_panels, outline):
    report, shown = report_and_panels
    (verdict,) = report.verdicts
    assert verdict.sentence in outline.texts["p"]
    cells = {text.strip() for text in outline.texts["td"]}
    for picture in verdict.pictures:
        for other in report.others:
            assert page.change(picture.saving(verdict.codec, other))["text"] in cells
    assert f"{report.bd_rate['avif'].psnr.percent:+.1f} %" in cells
    captions = "".join(outline.texts["figcaption"])
    for layer in shown[0].layers[1:]:
        assert re.search(rf"{page.title(layer.codec)}: .*quality {layer.quality:g}, ", captions)


def test_a_figure_that_is_not_there_is_a_dash_without_a_value():
    assert page.change(None) == {"text": "–", "value": None}
    assert page.change(0.25) == {"text": "-25 %", "value": -25.0}
