import json
import os
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from shapegen4d_core import cli
from shapegen4d_core.errors import InputError
from shapegen4d_core.evaluation.actionbench import ActionBenchSettings
from shapegen4d_core.evaluation.alignment import AlignmentSettings
from shapegen4d_core.evaluation.compare import Comparison, pairs_of, run_comparison
from shapegen4d_core.evaluation.gradient_icp import GradientSettings
from shapegen4d_core.evaluation.mesh_files import find_assets, read_shapes
from shapegen4d_core.evaluation.paper import PaperSettings, score_floor, score_paper, surface_distance
from shapegen4d_core.evaluation.score_file import ScoreFile
from shapegen4d_core.evaluation.search import SearchSettings
from shapegen4d_core.export import write_glb
from shapegen4d_core.geometry.similarity import azimuth_rotation
from shapegen4d_core.sequence import MeshSequence

ALIGN = AlignmentSettings(SearchSettings(azimuths=8, points=400), points=1000, iterations=20)
SETTINGS = PaperSettings(points=2000, voxels=32, views=1, pixels=48, alignment=ALIGN)
COMPARISON = Comparison(
    "paper",
    SETTINGS,
    ActionBenchSettings(points=500, queries=500, per_frame=False, gradient=GradientSettings(30, 0.02, 150, 1, 8, 60)),
)


def sequence(creature, change=lambda t, x: x, frames=3):
    vertices, faces = creature
    shear = [np.array([[1, 0.1 * t, 0], [0, 1, 0], [0, 0, 1]]) for t in range(frames)]
    moved = [change(t, vertices @ shear[t].T).astype(np.float32) for t in range(frames)]
    return MeshSequence(moved, [faces.astype(np.int32)] * frames, 8.0)


def shapes_in(folder, meshes, name="a"):
    folder.mkdir(exist_ok=True)
    meshes.save(folder / f"{name}.safetensors")
    return read_shapes(folder / f"{name}.safetensors")


def test_every_way_to_store_a_sequence_reads_back_the_same(creature, tmp_path):
    meshes = sequence(creature)
    meshes.save(tmp_path / "own.safetensors")
    write_glb(meshes, tmp_path / "animated.glb")
    for kind in ("obj", "ply"):
        (tmp_path / kind).mkdir()
        for t in (2, 0, 1):
            mesh = trimesh.Trimesh(meshes.vertices[t], meshes.faces[t], process=False)
            mesh.export(tmp_path / kind / f"frame_{t + 9}.{kind}")  # 9, 10, 11: by number, not by text
    (tmp_path / "glbs").mkdir()
    for t in range(3):
        still = MeshSequence(meshes.vertices[t : t + 1], meshes.faces[:1], 8.0)
        write_glb(still, tmp_path / "glbs" / f"mesh_{t:02d}.glb")
    assert set(find_assets(tmp_path)) == {"own", "animated", "obj", "ply", "glbs"}
    for path in find_assets(tmp_path).values():
        found = read_shapes(path)
        assert found.frame_count == 3 and found.tracked, path
        for t in range(3):
            expected = np.asarray(meshes.vertices[t])[meshes.faces[t]]
            assert np.allclose(found.meshes.vertices[t][found.meshes.faces[t]], expected, atol=1e-5), path


def test_tracked_points_of_actionbench_are_read(tmp_path):
    (tmp_path / "asset").mkdir()
    points = np.random.default_rng(0).normal(size=(4, 50, 6)).astype(np.float32)
    np.save(tmp_path / "asset" / "surfaces.npy", points)
    found = read_shapes(tmp_path / "asset")
    assert found.frame_count == 4 and found.tracked and np.array_equal(found.points, points[..., :3])
    tracks = found.tracks(20, 0)
    assert tracks.shape == (4, 20, 3)
    rows = [int(np.flatnonzero((points[0, :, :3] == row).all(1))[0]) for row in tracks[0].astype(np.float32)]
    assert np.allclose(tracks, points[:, rows, :3])


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_is_run_from_an_array_of_objects(tmp_path):
    np.save(tmp_path / "x.npy", np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="array"):
        read_shapes(tmp_path / "x.npy")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("shape", ["(10000000, 1000, 3)", f"({10**12}, 3, 3)", f"({10**30}, 3, 3)", "(-1, 3, 3)", "(2"])
def test_arrays_that_announce_more_than_the_file_has_are_refused(tmp_path, shape):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + bytes(36))
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_shapes(tmp_path / "x.npy")


def test_an_archive_is_no_array(tmp_path):
    with open(tmp_path / "x.npy", "wb") as file:
        np.savez(file, points=np.zeros((2, 3, 3), np.float32))
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_shapes(tmp_path / "x.npy")


@pytest.mark.parametrize("spoil", ["shape", "text", "mixed", "nothing"])
def test_unusable_files_are_refused(tmp_path, spoil):
    folder = tmp_path / "asset"
    folder.mkdir()
    if spoil == "shape":
        np.save(folder / "x.npy", np.zeros((4, 3)))
    elif spoil == "text":
        (folder / "x.ply").write_text("no mesh")
    elif spoil == "mixed":
        (folder / "x.ply").touch()
        (folder / "x.obj").touch()
    with pytest.raises(InputError):
        read_shapes(folder)


def test_a_perfect_prediction_reaches_the_floor(creature, tmp_path):
    """In another place, size and azimuth, with root motion added: identity up to what the protocol removes."""
    truth = shapes_in(tmp_path / "t", sequence(creature))
    turn = azimuth_rotation(130.0)
    moved = sequence(creature, lambda t, x: 3.1 * x @ turn.T + [1, 2, 3 + 0.4 * t])
    values, empty = score_paper(shapes_in(tmp_path / "p", moved), truth, SETTINGS)
    floor = score_floor(truth, SETTINGS)
    assert values["chamfer"] < 1.1 * floor["chamfer"] and values["f_0.05"] > 0.9 * floor["f_0.05"] and empty == 0
    assert values["iou"] > 0.9 and values["silhouette_iou"] > 0.95 and values["volume_drift"] < 0.02
    assert values["abnormal_edges"] == 0 and values["point_jitter"] < 1e-6
    raw, _ = score_paper(read_shapes(tmp_path / "p" / "a.safetensors"), truth, replace(SETTINGS, align=False))
    assert raw["iou"] < 0.2, "protocol none takes positions as they are"
    same, _ = score_paper(truth, truth, replace(SETTINGS, align=False))
    assert same["surface_distance"] < 1e-6 < 0.1 < raw["surface_distance"]
    assert same["iou"] == 1 and same["psnr"] == 99 and same["f_0.05"] > 0.99 * floor["f_0.05"]


def test_empty_frames_are_scored_as_the_worst(creature, tmp_path):
    truth = sequence(creature)
    nothing = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    gone = MeshSequence([truth.vertices[0], nothing[0]], [truth.faces[0], nothing[1]], 8.0)
    two = MeshSequence(truth.vertices[:1] * 2, truth.faces[:2], 8.0)
    plain = replace(SETTINGS, align=False)
    values, empty = score_paper(shapes_in(tmp_path, gone), shapes_in(tmp_path, two, "b"), plain)
    assert empty == 1 and values["iou"] == pytest.approx(0.5) and 1.0 < values["chamfer"] < 1.1


def test_point_to_surface_equals_the_reference_and_counts_both_ways(golden):
    data = golden("point_mesh")
    meshes = [(data[f"{name}.verts"], data[f"{name}.faces"]) for name in ("closed", "torus")]
    clouds = [data[f"{name}.points"].astype(float) for name in ("torus", "closed")]
    found = surface_distance(meshes[:1], meshes[1:], clouds[:1], clouds[1:])
    ways = (np.sqrt(data[f"{name}.sqdist_igl"]).mean() for name in ("torus", "closed"))
    assert found == pytest.approx(sum(ways), rel=1e-4)
    assert surface_distance(meshes[:1], meshes[1:], [clouds[0][:0]], clouds[1:]) == 2


def test_failures_stay_in_the_table_and_a_second_run_does_nothing_twice(creature, tmp_path):
    truth = sequence(creature)
    for name in ("good", "short", "broken", "missing"):
        shapes_in(tmp_path / "t", truth, name)
    shapes_in(tmp_path / "p", truth, "good")
    shapes_in(tmp_path / "p", sequence(creature, frames=2), "short")
    (tmp_path / "p" / "broken.safetensors").write_bytes(b"?")
    plain = replace(COMPARISON, protocol="none")
    pairs = pairs_of(tmp_path / "p", tmp_path / "t")
    scores = ScoreFile(tmp_path / "out", plain.about())
    rows = {row.asset: row for row in run_comparison(plain, pairs, scores) if row.method == "prediction"}
    assert rows["good"].failure is None and rows["good"].values["iou"] == 1
    for name, said in (("short", "2 frames"), ("broken", "damaged"), ("missing", "no prediction")):
        assert said in rows[name].failure
    size = scores.path.stat().st_size
    again = run_comparison(plain, pairs, ScoreFile(tmp_path / "out", plain.about()))
    assert len(again) == 8 and scores.path.stat().st_size == size


def test_actionbench_on_files(creature, tmp_path):
    truth = sequence(creature)
    shapes_in(tmp_path / "t", truth)
    shapes_in(tmp_path / "p", sequence(creature, lambda t, x: x[:, [2, 1, 0]] * [1, 1, -1.0]))
    (row, floor) = sorted(
        run_comparison(replace(COMPARISON, protocol="actionbench"), pairs_of(tmp_path / "p", tmp_path / "t")),
        key=lambda row: row.method != "prediction",
    )
    assert row.values["cd_4d"] < 1.6 * floor.values["cd_4d"] and row.values["cd_m"] < 3 * floor.values["cd_4d"]
    assert {"cd_4d_isotropic", "cd_m_isotropic"} <= set(row.values)


def bench_rows(tmp_path):
    bench = replace(COMPARISON, protocol="actionbench")
    rows = run_comparison(bench, pairs_of(tmp_path / "p", tmp_path / "t"))
    return {row.method: row.values for row in rows}


def test_a_perfect_prediction_of_actionbench_is_at_the_floor_and_not_below_it(creature, tmp_path):
    """It has the truth's own faces, which must not mean the truth's own points."""
    truth = sequence(creature)
    for side in "tp":
        shapes_in(tmp_path / side, truth)
    rows = bench_rows(tmp_path)
    assert set(rows["floor"]) == set(rows["prediction"]) == {
        f"{key}{way}" for key in ("cd_4d", "cd_m") for way in ("", "_isotropic")
    }
    for key, floor in rows["floor"].items():
        assert 0 < rows["prediction"][key] == pytest.approx(floor, rel=0.15), key


def test_the_floor_of_tracked_points_is_that_of_their_halves(creature, tmp_path):
    points = shapes_in(tmp_path, sequence(creature), "mesh").tracks(400, 3).astype(np.float32)
    for side in "tp":
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "a.npy", points)
    rows = bench_rows(tmp_path)
    assert 2 * rows["prediction"]["cd_m"] < rows["floor"]["cd_m"] < 0.5


def test_the_verb_compares_folders(creature, tmp_path, capsys):
    shapes_in(tmp_path / "t", sequence(creature, frames=1))
    shapes_in(tmp_path / "p", sequence(creature, frames=1))
    given = ["evaluate", "--predictions", tmp_path / "p", "--truth", tmp_path / "t", "--protocol", "none"]
    given += ["--points", "500", "--quiet", "-o", tmp_path / "out"]
    assert cli.main([str(part) for part in given]) == 0
    assert "| prediction | 1.000 [1.000, 1.000] |" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["about"]["settings"]["points"] == 500 and "floor" in report["methods"]
    assert cli.main([str(part) for part in given[:3]]) == cli.REFUSED and "--truth" in capsys.readouterr().err
    given[6] = "unknown"
    assert cli.main([str(part) for part in given]) == cli.REFUSED and "unknown" in capsys.readouterr().err


def test_folders_without_a_common_name_are_refused(creature, tmp_path):
    shapes_in(tmp_path / "t", sequence(creature, frames=1), "a")
    shapes_in(tmp_path / "p", sequence(creature, frames=1), "b")
    with pytest.raises(InputError, match="No name"):
        pairs_of(tmp_path / "p", tmp_path / "t")
    with pytest.raises(InputError, match="not a folder"):
        find_assets(tmp_path / "nowhere")
