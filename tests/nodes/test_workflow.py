"""The bundled workflows: the file for the page and its copy for the API say the same of the nodes there are."""

from __future__ import annotations

import itertools

import pytest

from shapegen4d_core import published
from tests.nodes.description import OURS, PAGE_ONLY, committed
from tests.nodes.host_run import DYNAMIC, children
from tests.nodes.pages import PAGES, api_copy, box, least_height, read, to_api, widget_values

NAMES = [
    "image_sequence_to_4d",
    "mesh_sequence_and_mesh_nodes",
    "mesh_sequence_to_any_format",
    "quick_start_tiny",
    "retexture_existing_sequence",
    "saved_latents_to_meshes",
    "text_to_video_to_4d",
    "video_to_4d",
    "video_to_textured_4d",
]
THUMBNAIL_BYTES = 10_000, 72_000


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request):
    return request.param


def test_these_are_bundled():
    """The host lists every .json directly in the folder as a template."""
    assert [path.stem for path in PAGES] == NAMES and all("nodes" in read(path) for path in PAGES)


def test_page_and_api_copy_agree(page):
    copy = api_copy(page.stem)
    assert all(entry["_meta"]["title"] for entry in copy.values())
    without_titles = {name: {"class_type": e["class_type"], "inputs": e["inputs"]} for name, e in copy.items()}
    assert to_api(read(page)) == without_titles


def test_every_node_is_used_by_a_workflow(nodes):
    used = {entry["type"] for path in PAGES for entry in read(path)["nodes"]}
    assert set(nodes) <= used


def test_page_is_of_the_form_that_hosts_read(page):
    shown = read(page)
    assert shown["version"] == 0.4
    assert {entry["type"] for entry in shown["nodes"]} <= {*committed(), *PAGE_ONLY}
    entries = [entry for entry in shown["nodes"] if entry["type"] not in PAGE_ONLY]
    for entry in entries:
        owner = "shapegen4d" if entry["type"].startswith(OURS) else "comfy-core"
        properties = entry["properties"]
        assert properties["cnr_id"] == owner and properties["ver"]
        assert properties["Node name for S&R"] == entry["type"]
    assert len({entry["id"] for entry in shown["nodes"]}) == len(shown["nodes"])
    assert max(entry["id"] for entry in shown["nodes"]) == shown["last_node_id"]
    assert len({read(path)["id"] for path in PAGES}) == len(PAGES)


def test_a_thumbnail_and_one_note_go_with_it(page):
    thumbnail = page.with_suffix(".jpg").read_bytes()
    assert thumbnail.startswith(b"\xff\xd8") and THUMBNAIL_BYTES[0] < len(thumbnail) < THUMBNAIL_BYTES[1]
    (note,) = (entry for entry in read(page)["nodes"] if entry["type"] == "MarkdownNote")
    (text,) = note["widgets_values"]
    assert text.startswith("## ") and "**Run**" in text.replace("**Run.**", "**Run**") and text.isascii()


def test_links_join_sockets_of_one_type(page):
    page = read(page)
    entries = {entry["id"]: entry for entry in page["nodes"]}
    assert len({link[0] for link in page["links"]}) == len(page["links"]) == page["last_link_id"]
    for number, source, out, target, slot, kind in page["links"]:
        socket, given = entries[source]["outputs"][out], entries[target]["inputs"][slot]
        assert number in socket["links"] and given["link"] == number
        assert socket["type"] == kind and (given["type"] == "*" or kind in given["type"].split(","))
        assert entries[source]["order"] < entries[target]["order"]


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_nothing_overlaps_and_nodes_lie_in_their_groups(page):
    shown = read(page)
    for entry in shown["nodes"]:
        assert entry["size"][1] >= least_height(entry), entry["type"]
    boxes = {entry["id"]: box(entry) for entry in shown["nodes"]}
    for one, other in itertools.combinations(boxes, 2):
        assert not overlap(boxes[one], boxes[other]), (one, other)
    groups = [(x, y, x + width, y + height) for x, y, width, height in (g["bounding"] for g in shown["groups"])]
    for one, other in itertools.combinations(groups, 2):
        assert not overlap(one, other)
    for entry in shown["nodes"]:
        around = [group for group in groups if overlap(group, boxes[entry["id"]])]
        if entry["type"] == "MarkdownNote":
            assert not around
            continue
        (group,) = around
        left, top, right, bottom = boxes[entry["id"]]
        assert group[0] < left and group[1] < top and right < group[2] and bottom < group[3], entry["id"]


def loaders(page):
    """Nodes that name weights, with the names."""
    for entry in read(page)["nodes"]:
        named = [value for value in entry.get("widgets_values", ()) if str(value).endswith(".safetensors")]
        if named and entry["type"] != f"{OURS}LoadLatents":
            yield entry, named


def test_named_weights_have_download_entries_that_the_page_accepts(page):
    """The page offers a download only for allowed hosts and suffixes, and looks for the name in the directory."""
    for entry, named in loaders(page):
        models = entry["properties"]["models"]
        assert [model["name"] for model in models] == named
        for model in models:
            assert set(model) == {"name", "url", "directory"} and model["directory"]
            assert model["url"].startswith("https://huggingface.co/") and model["url"].endswith(".safetensors")
    entries = [entry for entry in read(page)["nodes"] if "models" in entry.get("properties", {})]
    assert len(entries) == len(list(loaders(page)))


def test_weights_of_our_loader_are_the_published_ones():
    found = []
    for page in PAGES:
        for entry, _ in loaders(page):
            if entry["type"] == f"{OURS}LoadModelFiles":
                found.append(page.stem)
                assert entry["properties"]["models"] == list(map(published_entry, widget_values(entry).items()))[:3]
    assert found == ["text_to_video_to_4d", "video_to_4d"]


def published_entry(given):
    part, name = given
    file = published.files_of(published.BASE).get(part)
    return None if file is None or file.name != name else file.download


TURNTABLE = {"RenderMeshSequence.turntable", "RenderMeshSequence.count"}
SMALL_PICTURES = {"RenderMeshSequence.width", "RenderMeshSequence.height"}
CHOSEN = {  # where a workflow is to differ
    "quick_start_tiny": {"DecodeSDFSequence.resolution", "SaveAnimation.format", *TURNTABLE, *SMALL_PICTURES},
    "video_to_textured_4d": {
        "LoadVideoFrames.size",
        "TrackTopology.on_change",
        "SaveMeshSequence.format.unlit",
        "RenderMeshSequence.style",
        *TURNTABLE,
        *SMALL_PICTURES,
    },
    "mesh_sequence_to_any_format": {"SaveMeshSequence.format", *TURNTABLE, *SMALL_PICTURES},
    "image_sequence_to_4d": {"PickFrames.stop"},
    "saved_latents_to_meshes": {
        "PickFrames.start", "PickFrames.stop", "PickFrames.reverse", "SaveMeshSequence.format.loop"
    },
    "retexture_existing_sequence": {
        "TrackTopology.on_change", "PropagateTexture.mode", "SaveAnimation.format", *TURNTABLE, *SMALL_PICTURES
    },
    "text_to_video_to_4d": {
        "LoadModelFiles.denoiser",
        "LoadModelFiles.vae",
        "LoadModelFiles.image_encoder",
        "DecodeSDFSequence.resolution",
        "SaveAnimation.filename_prefix",
    },
}  # fmt: skip


@pytest.mark.parametrize("form", ["page", "api"])
def test_values_are_the_defaults_of_the_schema(nodes, page, form):
    """A workflow that repeats an old default would hide a better one."""
    differ = set()
    for entry in (api_copy(page.stem) if form == "api" else to_api(read(page))).values():
        if entry["class_type"] in nodes:
            for name, given in shown_inputs(nodes[entry["class_type"]], entry["inputs"]):
                value = entry["inputs"].get(name)
                if given.default is not None and value != given.default and not isinstance(value, list):
                    differ.add(f"{entry['class_type'].removeprefix(OURS)}.{name}")
    assert differ == CHOSEN.get(page.stem, set())


def shown_inputs(node, values):
    for given in node.define_schema().inputs:
        yield given.id, given
        if given.get_io_type() == DYNAMIC:
            yield from ((f"{given.id}.{child.id}", child) for child in children(given, values[given.id]))
