"""Stages of other tools: polygons, several meshes, movement of what they hang on, seams, axes, units, skins."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shapegen4d_core.importing import usd_files
from shapegen4d_core.importing.usd import read_usd

pytest.importorskip("pxr", reason="OpenUSD is not installed; pip install usd-core")

@pytest.fixture(autouse=True)
def unprobed(monkeypatch):
    """The other process takes a quarter of a second per file; files of our own making need none."""
    monkeypatch.setattr(usd_files, "_probe", lambda *_: None)


HEAD = """#usda 1.0
(
    defaultPrim = "root"
    metersPerUnit = 1
    upAxis = "Y"
    startTimeCode = 1
    endTimeCode = 3
    timeCodesPerSecond = 12
)
"""
SQUARE = """
        int[] faceVertexCounts = [4]
        int[] faceVertexIndices = [0, 1, 2, 3]
        point3f[] points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
"""
CORNERS = np.float32([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


def stage(tmp_path: Path, body: str, head: str = HEAD) -> Path:
    path = tmp_path / "stage.usda"
    path.write_text(head + body)
    return path


def square(attributes: str = "", name: str = "square") -> str:
    return f'def Xform "root" {{\n    def Mesh "{name}" {{{SQUARE}{attributes}\n    }}\n}}\n'


def test_polygons_become_fans_and_a_still_is_one_frame(tmp_path):
    found = read_usd(stage(tmp_path, square()))
    assert found.frame_count == 1 and found.fps == 12 and found.name == "stage"
    np.testing.assert_array_equal(found.vertices[0], CORNERS)
    np.testing.assert_array_equal(found.faces[0], [[0, 1, 2], [0, 2, 3]])


def test_faces_of_all_sizes_and_holes(tmp_path):
    body = """def Mesh "root" {
        int[] faceVertexCounts = [3, 5, 4]
        int[] faceVertexIndices = [0, 1, 2, 0, 2, 3, 4, 5, 5, 4, 3, 2]
        int[] holeIndices = [2]
        point3f[] points = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (0, 1, 0)]
    }"""
    np.testing.assert_array_equal(
        read_usd(stage(tmp_path, body)).faces[0], [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]]
    )


@pytest.mark.parametrize("body", [
    square('uniform token orientation = "leftHanded"'),
    square('float3 xformOp:scale = (-1, 1, 1)\n        uniform token[] xformOpOrder = ["xformOp:scale"]'),
])  # fmt: skip
def test_mirrored_faces_are_turned_outwards(tmp_path, body):
    found = read_usd(stage(tmp_path, body))
    corners = found.vertices[0][found.faces[0]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # the plain square looks along +z: left-handed it looks along -z, mirrored at x it still looks along +z
    assert (normals[:, 2] > 0).all() == ("scale" in body) and (normals[:, 2] != 0).all()


def test_movement_of_parents_and_points_in_several_meshes(tmp_path):
    body = f"""def Xform "root" {{
        double3 xformOp:translate.timeSamples = {{ 1: (0, 0, 0), 3: (2, 0, 0) }}
        uniform token[] xformOpOrder = ["xformOp:translate"]
        def Xform "turned" {{
            float xformOp:rotateZ = 90
            uniform token[] xformOpOrder = ["xformOp:rotateZ"]
            def Mesh "a" {{{SQUARE}}}
        }}
        def Mesh "b" {{{SQUARE}
            point3f[] points.timeSamples = {{
                1: [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)],
                3: [(0, 0, 4), (1, 0, 4), (1, 1, 4), (0, 1, 4)],
            }}
        }}
    }}"""
    found = read_usd(stage(tmp_path, body))
    assert found.frame_count == 3 and found.fixed_topology
    assert found.faces[0] is found.faces[2]
    turned = CORNERS[:, [1, 0, 2]] * np.float32([-1, 1, 1])
    for frame, move in enumerate((0, 1, 2)):
        expected = np.concatenate([turned, CORNERS + np.float32([0, 0, 2 * move])]) + np.float32([move, 0, 0])
        np.testing.assert_allclose(found.vertices[frame], expected, atol=1e-6)
    np.testing.assert_array_equal(found.faces[0][2:], found.faces[0][:2] + 4)


def test_changing_topology_and_meshes_that_come_and_go(tmp_path):
    body = f"""def Xform "root" {{
        def Mesh "a" {{{SQUARE}
            token visibility.timeSamples = {{ 1: "inherited", 2: "invisible" }}
        }}
        def Mesh "b" {{
            int[] faceVertexCounts.timeSamples = {{ 1: [3], 3: [3, 3] }}
            int[] faceVertexIndices.timeSamples = {{ 1: [0, 1, 2], 3: [0, 1, 2, 3, 2, 1] }}
            point3f[] points.timeSamples = {{ 1: [(0, 0, 0), (1, 0, 0), (0, 1, 0)],
                3: [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)] }}
        }}
    }}"""
    found = read_usd(stage(tmp_path, body))
    assert [len(frame) for frame in found.vertices] == [7, 3, 4]
    assert [len(frame) for frame in found.faces] == [3, 1, 2]


def test_rates_and_ranges(tmp_path):
    moving = square("point3f[] points.timeSamples = { 0: [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], "
                    "24: [(24, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)] }")  # fmt: skip
    ranged = HEAD.replace("startTimeCode = 1", "startTimeCode = 0").replace("endTimeCode = 3", "endTimeCode = 24")
    found = read_usd(stage(tmp_path, moving, ranged.replace("PerSecond = 12", "PerSecond = 24\n framesPerSecond = 6")))
    assert found.fps == 6 and found.frame_count == 7  # a frame every four time codes
    np.testing.assert_allclose([frame[0, 0] for frame in found.vertices], 4 * np.arange(7), atol=1e-5)
    unranged = "\n".join(line for line in HEAD.split("\n") if "TimeCode " not in line)
    found = read_usd(stage(tmp_path, moving, unranged))
    assert found.fps == 12 and found.frame_count == 25
    found = read_usd(tmp_path / "stage.usda", fps=3)
    assert found.fps == 3 and found.frame_count == 7


def test_centimetres_and_z_up(tmp_path):
    head = HEAD.replace("metersPerUnit = 1", "metersPerUnit = 0.01").replace('"Y"', '"Z"')
    points = "point3f[] points = [(100, 0, 0), (0, 200, 0), (0, 0, 300), (0, 0, 0)]"
    body = square().replace(SQUARE, SQUARE.rsplit("point3f", 1)[0] + points)
    np.testing.assert_allclose(
        read_usd(stage(tmp_path, body, head)).vertices[0], [(1, 0, 0), (0, 0, -2), (0, 3, 0), (0, 0, 0)], atol=1e-6
    )
    unsaid = "\n".join(line for line in head.split("\n") if "metersPerUnit" not in line)
    assert read_usd(stage(tmp_path, body, unsaid)).vertices[0].max() == pytest.approx(3)  # OpenUSD's own default


TWO_SQUARES = """
        int[] faceVertexCounts = [4, 4]
        int[] faceVertexIndices = [0, 1, 2, 3, 1, 4, 5, 2]
        point3f[] points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0), (2, 1, 0)]
        texCoord2f[] primvars:map = [(0, 0), (0.5, 0), (0.5, 1), (0, 1), (0.75, 0), (1, 0)] (
            interpolation = "faceVarying"
        )
        int[] primvars:map:indices = [0, 1, 2, 3, 4, 5, 2, 2]
        rel material:binding = </root/paint>
"""
PAINT = """
    def Material "paint" {
        token outputs:surface.connect = </root/paint/nodes.outputs:surface>
        def NodeGraph "nodes" {
            token outputs:surface.connect = </root/paint/nodes/surface.outputs:surface>
            def Shader "surface" {
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = </root/paint/nodes/picture.outputs:rgb>
                token outputs:surface
            }
            def Shader "picture" {
                uniform token info:id = "UsdUVTexture"
                asset inputs:file = @./below/paint.png@
                float2 inputs:st.connect = </root/paint/nodes/place.outputs:result>
                float3 outputs:rgb
            }
            def Shader "place" {
                uniform token info:id = "UsdTransform2d"
                float2 inputs:in.connect = </root/paint/nodes/reader.outputs:result>
                float inputs:rotation = 90
                float2 inputs:scale = (2, 1)
                float2 inputs:translation = (0.5, 0)
                float2 outputs:result
            }
            def Shader "reader" {
                uniform token info:id = "UsdPrimvarReader_float2"
                string inputs:varname = "map"
                float2 outputs:result
            }
        }
    }
"""


def painted(tmp_path: Path) -> tuple[Path, np.ndarray]:
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    (tmp_path / "below").mkdir()
    Image.fromarray(picture).save(tmp_path / "below" / "paint.png")
    body = f'def Xform "root" {{\n    def Mesh "a" (prepend apiSchemas = ["MaterialBindingAPI"]) {{{TWO_SQUARES}}}\n'
    return stage(tmp_path, body + PAINT + "}\n"), picture


def test_coordinates_per_corner_are_split_at_seams_and_points_keep_their_numbers(tmp_path):
    path, picture = painted(tmp_path)
    found = read_usd(path)
    np.testing.assert_array_equal(found.texture, picture)
    points = np.float32([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]])
    np.testing.assert_array_equal(found.vertices[0][:6], points)
    assert len(found.vertices[0]) == 7  # one copy: point 1 has two places in the picture, point 2 the same one twice
    np.testing.assert_array_equal(found.vertices[0][6], points[1])
    corners = np.float32([(0, 0), (0.5, 0), (0.5, 1), (0, 1), (0.75, 0), (1, 0), (0.5, 1), (0.5, 1)])
    placed = np.stack([0.5 - corners[:, 1], 2 * corners[:, 0]], axis=1)  # scaled, turned by 90 degrees, moved
    expected = placed[[[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]]
    np.testing.assert_allclose(found.uv[found.faces[0]], expected, atol=1e-6)
    positions = points[[[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]]]
    np.testing.assert_array_equal(found.vertices[0][found.faces[0]], positions)


def test_what_cannot_be_kept_is_said(tmp_path):
    path, _ = painted(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("paint.png", "absent.png"))
    with pytest.warns(UserWarning, match="absent.png' is not there"):
        assert read_usd(path).texture is None
    path.write_text(text.replace("int[] faceVertexCounts", "token visibility.timeSamples = "
                                 '{ 1: "inherited", 2: "invisible" }\n int[] faceVertexCounts'))  # fmt: skip
    with pytest.warns(UserWarning, match="topology changes, so its texture coordinates are left out"):
        assert read_usd(path).uv is None
    path.write_text(text.replace('def Mesh "a"', 'def Sphere "ball" {}\n def PointInstancer "many" {}\n def Mesh "a"'))
    with pytest.warns(UserWarning, match="without its PointInstancer, Sphere"):
        read_usd(path)
    plain = f'def Mesh "b" {{{SQUARE}}}\n'
    path.write_text(text.replace('def Mesh "a"', plain + 'def Mesh "a"'))
    with pytest.warns(UserWarning, match="some of its meshes have no texture coordinates"):
        assert len(read_usd(path).vertices[0]) == 10


def test_guides_are_no_part_and_references_are(tmp_path):
    (tmp_path / "parts").mkdir()
    part = HEAD.replace('"root"', '"part"') + f'def Mesh "part" {{{SQUARE}}}\n'
    (tmp_path / "parts" / "part.usda").write_text(part)
    body = f"""def Xform "root" {{
        def "a" (prepend references = @./parts/part.usda@) {{}}
        def "b" (prepend references = @parts/part.usda@\n instanceable = true) {{}}
        def Mesh "c" {{ uniform token purpose = "guide"\n{SQUARE}}}
        def Mesh "d" {{ token visibility = "invisible"\n{SQUARE}}}
    }}"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_usd(stage(tmp_path, body)).vertices[0]) == 8


def test_skins_are_posed(tmp_path):
    body = f"""def SkelRoot "root" {{
        def Skeleton "bones" (prepend apiSchemas = ["SkelBindingAPI"]) {{
            uniform token[] joints = ["hip", "hip/arm"]
            uniform matrix4d[] bindTransforms = [((1,0,0,0),(0,1,0,0),(0,0,1,0),(0,0,0,1)),
                ((1,0,0,0),(0,1,0,0),(0,0,1,0),(1,0,0,1))]
            uniform matrix4d[] restTransforms = [((1,0,0,0),(0,1,0,0),(0,0,1,0),(0,0,0,1)),
                ((1,0,0,0),(0,1,0,0),(0,0,1,0),(1,0,0,1))]
            rel skel:animationSource = </root/move>
        }}
        def SkelAnimation "move" {{
            uniform token[] joints = ["hip/arm"]
            quatf[] rotations = [(1, 0, 0, 0)]
            half3[] scales = [(1, 1, 1)]
            float3[] translations.timeSamples = {{ 1: [(1, 0, 0)], 2: [(1, 2, 0)], 3: [(1, 3, 0)] }}
        }}
        def Mesh "skin" (prepend apiSchemas = ["SkelBindingAPI"]) {{{SQUARE}
            rel skel:skeleton = </root/bones>
            int[] primvars:skel:jointIndices = [0, 1, 1, 0] (elementSize = 1\n interpolation = "vertex")
            float[] primvars:skel:jointWeights = [1, 1, 1, 1] (elementSize = 1\n interpolation = "vertex")
        }}
    }}"""
    path = stage(tmp_path, body)
    before = path.read_text()
    found = read_usd(path)
    assert found.frame_count == 3 and path.read_text() == before
    for frame, height in enumerate((0, 2, 3)):
        expected = CORNERS + np.float32([[0, 0, 0], [0, height, 0], [0, height, 0], [0, 0, 0]])
        np.testing.assert_allclose(found.vertices[frame], expected, atol=1e-6)
