"""A report with pictures that have hostile names, and its page."""

from evaluation.pictures import noise, waves

from imgcodec.evaluation import bench, page, panels, peers
from imgcodec.evaluation.peers import Codec

HOSTILE = ["<script>alert(1)<\u2215script>.png", "\"><img src=x onerror=alert(2)>&amp;'{{ 7 * 7 }}.png"]
PICTURES = {
    HOSTILE[0]: waves(150, 200) // 2 + noise(150, 200, seed=1) // 4,
    HOSTILE[1]: waves(180, 240),
    "2.png": waves(64, 64),
}


def report_of_pictures() -> tuple[bench.Report, list[panels.Panel]]:
    """Ours is WebP under another name; two pictures are shown over each other."""
    ours = Codec("imgcodec <b>", (10, 50, 95), peers.webp, peers.decode)
    others, _ = peers.peers_named(["jpeg", "avif"])
    report = bench.run(PICTURES.items(), [ours], others)
    return report, [panels.panel(name, PICTURES[name], ours, others, {}) for name in HOSTILE]


def page_of_pictures() -> str:
    return page.render(*report_of_pictures())
