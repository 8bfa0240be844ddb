"""The viewer's known-answer test, under Node: it passes, and finds a single integer that is wrong."""

import json

from fuzz.corpus import GOLDEN

ID = json.loads((GOLDEN / "golden.json").read_text())["model"]["id"]


def test_one_wrong_integer_is_found(ask, models):
    right, *wrong, _ = ask(
        "proof", [json.dumps({"id": ID, "wrong": net}).encode() for net in (None, 0, 4, 7, "layers")], str(models)
    )
    assert "error" not in right
    for answer in wrong:
        assert answer["kind"] == "browser"
        assert "computes the model tiny differently" in answer["error"]
