"""What the nodes declare: permanent ids, a tooltip everywhere, defaults that are accepted."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tests.nodes.host_run import every_input

EXPECTED = [
    "LoadShapeGen4DModel",
    "LoadModelFiles",
    "ExampleVideo",
    "LoadImageSequence",
    "LoadVideoFrames",
    "EncodeDINO",
    "Sample4DLatents",
    "SaveLatents",
    "LoadLatents",
    "DecodeSDFSequence",
    "RegisterPose",
    "TrackTopology",
    "PropagateTexture",
    "LoadMeshSequence",
    "MeshSequenceToFile3D",
    "MeshSequenceToMesh",
    "MeshToMeshSequence",
    "PickFrames",
    "JoinSequences",
    "RenderMeshSequence",
    "SaveMeshSequence",
    "SaveAnimation",
]


@pytest.fixture(params=EXPECTED)
def node(request, nodes):
    return nodes[f"ShapeGen4D_{request.param}"]


def test_the_pack_has_exactly_these_nodes(nodes):
    assert list(nodes) == [f"ShapeGen4D_{name}" for name in EXPECTED]


def test_class_is_named_as_its_id(node):
    assert node.define_schema().node_id == f"ShapeGen4D_{node.__name__}"


def test_every_socket_explains_itself(node):
    schema = node.define_schema()
    assert len(schema.description) > 40 and schema.category.endswith("ShapeGen4D")
    for name, entry in every_input(schema).items():
        assert entry.tooltip and len(entry.tooltip) > 15 and entry.tooltip.endswith("."), name
    for entry in schema.outputs:
        assert entry.tooltip and entry.tooltip.endswith("."), entry.id


def test_number_widgets_state_their_range_and_a_default_inside(node):
    for name, entry in every_input(node.define_schema()).items():
        if entry.get_io_type() in ("INT", "FLOAT"):
            assert entry.min <= entry.default <= entry.max, name
        if entry.get_io_type() == "COMBO":
            assert entry.default in entry.options["options"], name


def test_execute_takes_the_declared_inputs(node):
    inputs = node.define_schema().inputs
    parameters = inspect.signature(node.execute).parameters
    assert [entry.id for entry in inputs] == list(parameters)
    for entry in inputs:
        assert (parameters[entry.id].default is None) == bool(entry.optional), entry.id


def test_optional_inputs_come_last(node):
    optional = [bool(entry.optional) for entry in node.define_schema().inputs]
    assert optional == sorted(optional)


def test_the_page_changes_seeds_by_itself_only_where_that_is_said(node):
    """The page gives every widget named seed a second one, which by default draws anew and so runs the node again."""
    for entry in every_input(node.define_schema()).values():
        assert (entry.id in ("seed", "noise_seed")) == bool(entry.control_after_generate), entry.id


def test_seed_offers_a_new_one_after_each_run(nodes):
    inputs = {entry.id: entry for entry in nodes["ShapeGen4D_Sample4DLatents"].define_schema().inputs}
    assert inputs["seed"].control_after_generate is True
    assert inputs["seed"].max == 2**64 - 1


def test_own_sockets_carry_the_prefix(nodes):
    standard = {"IMAGE", "MASK", "VIDEO", "NOISE", "SIGMAS", "FILE_3D_GLB", "MESH", "INT", "FLOAT", "BOOLEAN"}
    standard |= {"COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3"}
    standard |= {"STRING", "COMBO", "LOAD3D_CAMERA", "FILE_3D", "FILE_3D_GLTF", "FILE_3D_USDZ"}
    for node in nodes.values():
        schema = node.define_schema()
        names = [entry.get_io_type() for entry in schema.inputs]
        names += [entry.io_type for entry in schema.outputs]
        for name in ",".join(names).split(","):
            assert name in standard or re.fullmatch(r"SHAPEGEN4D_[A-Z_]+", name), name


def test_only_the_saving_nodes_are_outputs(nodes):
    outputs = [name for name, node in nodes.items() if node.define_schema().is_output_node]
    assert outputs == [f"ShapeGen4D_Save{what}" for what in ("Latents", "MeshSequence", "Animation")]


def test_every_node_has_a_help_page_where_the_host_looks(node, pack):
    folder = Path(pack.__file__).parent / pack.WEB_DIRECTORY / "docs"
    page = (folder / f"{node.define_schema().node_id}.md").read_text(encoding="ascii")
    assert page.startswith(f"# {node.define_schema().display_name}\n")
