"""The host's page in a headless browser: every template loads whole, one is run from the page, and its result plays.

HOST_SCREENSHOTS names a folder for the pictures, which are worth a look; else they lie in pytest's own.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clients.three import CHROMIUM_ABSENT, chromium
from tests.host.browser import Page
from tests.host.server import PACK
from tests.host.workflows import OURS, downloads, ready
from tests.nodes.pages import PAGES, api_copy

pytestmark = pytest.mark.host
FULL = os.environ.get("HOST_TESTS") == "full"
SMALLER_ON_THE_PAGE = [("DecodeSDFSequence", "resolution", 64), ("Sample4DLatents", "ensemble_size", 2)]
FIRST = "quick_start_tiny" if any(page.stem == "quick_start_tiny" for page in PAGES) else "video_to_4d"
READY = "!!(window.app && app.graph && app.canvas && window.LiteGraph && LiteGraph.registered_node_types)"
NODES = """app.graph.nodes.map(node => ({type: node.type, known: node.type in LiteGraph.registered_node_types,
    wrong: !!node.has_errors, place: [...node.boundingRect]}))"""
VIEWER = "document.querySelector('canvas:not(#graph-canvas):not([class*=minimap])')"
BOX = f"(it => [it.x, it.y, it.width, it.height])({VIEWER}.getBoundingClientRect())"
PLAY = "document.querySelector('[aria-label^=Play]')"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = os.environ.get("HOST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    """The host's page; a new profile meets it with the list of templates."""
    program = chromium()
    if program is None:
        pytest.skip(CHROMIUM_ABSENT)
    shown = Page(program, tmp_path_factory.mktemp("browser"))
    shown.open(server.url)
    shown.wait(READY, 90)
    command(shown, "Comfy.Canvas.ToggleMinimap")  # it would hide what is photographed
    yield shown
    shown.close()


def command(page, name):
    page.ask(f"app.extensionManager.command.execute('{name}')")


def button(text):
    """JavaScript for the innermost element with a text."""
    return f"[...document.querySelectorAll('*')].find(it => !it.children.length && it.textContent.trim() == {text!r})"


def card(name):
    return f"document.querySelector('[data-testid=\"template-workflow-{name}\"]')"


def open_templates(page):
    """The pack's part of the list of templates."""
    if not page.ask(f"!!{button(PACK)}"):
        command(page, "Comfy.BrowseTemplates")
    page.wait(f"!!{button(PACK)}")
    page.ask(f"{button(PACK)}.click()")
    page.wait(f"!!{card(FIRST)}")


def test_templates_and_their_pictures_are_offered(page, pictures):
    open_templates(page)
    for entry in PAGES:
        page.ask(f"{card(entry.stem)}.scrollIntoView()")  # pictures are fetched when they come into sight
        page.wait(f"{card(entry.stem)}.querySelector('img')?.naturalWidth > 100", 30)
    page.photograph(pictures / "templates.png")
    page.press("Escape")


def sizes_overlap(first, second):
    """Whether two boxes x, y, width, height share more than a hairline."""
    return all(first[axis] + first[axis + 2] > second[axis] + 1 and second[axis] + second[axis + 2] > first[axis] + 1
               for axis in (0, 1))  # fmt: skip


@pytest.mark.parametrize("name", [entry.stem for entry in PAGES])
def test_a_template_loads_whole(page, client, pictures, name, tmp_path):
    """All its nodes are known, lie side by side, and say to the host what the API copy says."""
    if not downloads(next(entry for entry in PAGES if entry.stem == name)):
        ready(name, client, tmp_path)  # its files lie where they are looked for
    said = len(page.said)
    page.ask(f"fetch('/api/workflow_templates/{PACK}/{name}.json').then(it => it.json())"
             ".then(it => app.loadGraphData(it))")  # fmt: skip
    command(page, "Comfy.Canvas.FitView")
    time.sleep(1)
    page.photograph(pictures / f"{name}.png")
    nodes = page.ask(NODES)
    assert nodes and not [node["type"] for node in nodes if not node["known"]]
    pairs = [(one, two) for place, one in enumerate(nodes) for two in nodes[:place]]
    covered = [f"{one['type']} and {two['type']}" for one, two in pairs if sizes_overlap(one["place"], two["place"])]
    assert not covered, f"these lie on one another: {covered}"
    sent, copy = page.ask("app.graphToPrompt().then(it => it.output)"), api_copy(name)
    assert set(sent) == set(copy)
    for key, entry in copy.items():
        assert sent[key]["class_type"] == entry["class_type"]
        if entry["class_type"].startswith(OURS):
            assert sent[key]["inputs"] == entry["inputs"]
        else:  # the page adds its viewers to the core's nodes
            assert entry["inputs"].items() <= sent[key]["inputs"].items()
    assert not ours(page.said[said:])


def ours(complaints):
    """Those that concern the pack, and whatever was thrown."""
    marks = (PACK.lower(), OURS.lower(), "exceptiondetails", "exceptionid")
    return [line for line in complaints if any(mark in line.lower() for mark in marks)]


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def changed(first, second):
    """Share of pixels that clearly differ."""
    return float((np.abs(pixels(first) - pixels(second)).max(axis=2) > 12).mean())


def settle(page, box, path):
    """Photographs of a part of the page until two in a row are the same: what was loaded has come to rest."""
    last = page.photograph(path, box)
    for _ in range(20):
        time.sleep(0.5)
        now = page.photograph(path, box)
        if changed(last, now) == 0:
            return now
        last = now
    raise AssertionError("the picture never comes to rest")


def test_a_template_runs_from_the_page_and_its_result_plays(page, client, pictures, figures, tmp_path):
    """From the list of templates to a playing mesh, by clicks alone."""
    ready(FIRST, client, tmp_path)
    open_templates(page)
    before = set(client.ask("/history"))
    page.ask(f"{card(FIRST)}.click()")
    page.wait(f"!{card(FIRST)} && app.graph.nodes.some(node => node.type == '{OURS}DecodeSDFSequence')")
    if not FULL:
        for kind, name, value in SMALLER_ON_THE_PAGE:
            page.ask(
                f"app.graph.nodes.filter(node => node.type == '{OURS}{kind}').forEach(node => "
                f"node.widgets.find(it => it.name == '{name}').value = {value})"
            )
    began = time.monotonic()
    page.ask("document.querySelector('[data-testid=queue-button]').click()")
    while not (new := set(client.ask("/history")) - before):
        assert time.monotonic() - began < 300, "the run does not end"
        time.sleep(0.3)
    (job,) = new
    assert client.ask(f"/history/{job}")[job]["status"]["status_str"] == "success"
    figures.append(f"{FIRST} from the page: {time.monotonic() - began:.1f} s")
    page.wait(f"!!{PLAY} && !!{VIEWER}")
    box = page.ask(BOX)
    still = settle(page, box, pictures / "viewer_still.png")
    page.photograph(pictures / "finished.png")
    page.ask(f"{PLAY}.click()")
    shown = []
    for number in range(1, 6):
        shown.append(page.photograph(pictures / f"viewer_playing_{number}.png", box))
        time.sleep(0.13)  # no divisor of the clip's length, after which it looks the same
    page.ask(f"{PLAY}.click()")
    moved = [changed(*pair) for pair in zip([still, *shown], shown)]
    figures.append("viewer, share of pixels that change: " + ", ".join(f"{share:.3f}" for share in moved))
    assert sum(share > 0.01 for share in moved) > 2
    assert not ours(page.said)
