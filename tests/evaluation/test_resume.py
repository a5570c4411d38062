"""Scores on disk belong to the files they were made of: what changed is judged again, the rest is not."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shapegen4d_core.errors import InputError
from shapegen4d_core.evaluation.compare import Comparison, pairs_of, run_comparison
from shapegen4d_core.evaluation.compare_pictures import PictureJudge, find_clips, run_pictures
from shapegen4d_core.evaluation.mesh_files import Shapes
from shapegen4d_core.evaluation.paper import PaperSettings, score_paper
from shapegen4d_core.evaluation.score_file import ScoreFile
from shapegen4d_core.sequence import MeshSequence

SETTINGS = PaperSettings(points=300, voxels=16, views=0, align=False)
COMPARISON = Comparison("none", SETTINGS)


class Counted:
    """A judge that remembers which assets it was asked about."""

    def __init__(self, judge):
        self.judge, self.asked = judge, []

    def __call__(self, pair):
        self.asked.append(pair[0])
        return self.judge(pair)


def write_mesh(folder, name, mesh, shift=0.0):
    folder.mkdir(exist_ok=True)
    vertices, faces = mesh
    moved = [(vertices + shift).astype(np.float32)] * 2
    MeshSequence(moved, [faces.astype(np.int32)] * 2, 8.0).save(folder / f"{name}.safetensors")


def write_pictures(folder, name, shade):
    (folder / name).mkdir(parents=True, exist_ok=True)
    for t in range(2):
        Image.new("RGB", (16, 16), (shade, t, 0)).save(folder / name / f"{t}.png")


def meshes_again(folder):
    """Rows of the predictions by asset, and the assets that were judged in this run."""
    judge = Counted(COMPARISON)
    scores = ScoreFile(folder / "out", COMPARISON.about())
    rows = run_comparison(judge, pairs_of(folder / "p", folder / "t"), scores)
    return {row.asset: row for row in rows if row.method == "prediction"}, judge.asked, len(rows)


def pictures_again(folder):
    """The same for pictures."""
    judge = Counted(PictureJudge(16))
    found, wanted = find_clips(folder / "p"), find_clips(folder / "t")
    pairs = [(name, found.get(name), path) for name, path in wanted.items()]
    rows = run_pictures(judge, pairs, ScoreFile(folder / "out", judge.judge.about()))
    return {row.asset: row for row in rows}, judge.asked, len(rows)


def test_replaced_and_added_predictions_are_judged_again_and_others_are_not(creature, tmp_path):
    for name in "abc":
        write_mesh(tmp_path / "t", name, creature)
    for name in "ab":
        write_mesh(tmp_path / "p", name, creature)
    first, asked, _ = meshes_again(tmp_path)
    assert asked == ["a", "b", "c"] and "no prediction" in first["c"].failure and first["a"].values["iou"] == 1
    write_mesh(tmp_path / "p", "a", creature, shift=0.3)
    write_mesh(tmp_path / "p", "c", creature)
    second, asked, count = meshes_again(tmp_path)
    assert asked == ["a", "c"] and count == 6
    assert second["a"].values["iou"] < 0.8 and second["c"].failure is None and repr(second["b"]) == repr(first["b"])
    assert repr(meshes_again(tmp_path)) == repr((second, [], 6))
    write_mesh(tmp_path / "t", "b", creature, shift=0.3)
    third, asked, _ = meshes_again(tmp_path)
    assert asked == ["b"] and third["b"].values["iou"] < 0.8, "another truth is another comparison"


def test_pictures_of_changed_files_are_compared_again_and_those_without_a_truth_are_left_out(tmp_path):
    for name in "abc":
        write_pictures(tmp_path / "t", name, 100)
    write_pictures(tmp_path / "p", "a", 100)
    write_pictures(tmp_path / "p", "b", 120)
    first, asked, _ = pictures_again(tmp_path)
    assert asked == ["a", "b", "c"] and first["a"].values["psnr"] == 99 and "no prediction" in first["c"].failure
    write_pictures(tmp_path / "p", "a", 150)
    write_pictures(tmp_path / "p", "c", 100)
    second, asked, count = pictures_again(tmp_path)
    assert asked == ["a", "c"] and count == 3 and second["b"] == first["b"]
    assert second["a"].values["psnr"] < 50 and second["c"].values["psnr"] == 99
    assert pictures_again(tmp_path) == (second, [], 3)
    (tmp_path / "t" / "b").rename(tmp_path / "elsewhere")
    third, asked, _ = pictures_again(tmp_path)
    assert set(third) == {"a", "c"} and asked == [], "an asset that is no longer in the truth folder has no part in it"


def test_names_of_clip_folders_may_have_dots_and_two_of_one_name_are_refused(tmp_path):
    for name in ("walk.01", "walk.02"):
        write_pictures(tmp_path, name, 10)
    assert set(find_clips(tmp_path)) == {"walk.01", "walk.02"}
    write_pictures(tmp_path, "a", 10)
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match=r"both a and a\.mp4"):
        find_clips(tmp_path)


def test_a_prediction_that_loses_its_first_frame_has_the_worst_drift(creature):
    vertices, faces = creature[0].astype(np.float32), creature[1].astype(np.int32)
    nothing = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    truth = Shapes(MeshSequence([vertices] * 3, [faces] * 3, 8.0))
    lost = Shapes(MeshSequence([nothing[0], vertices, vertices], [nothing[1], faces, faces], 8.0))
    assert not lost.tracked
    values, empty = score_paper(lost, truth, replace(SETTINGS, align=False))
    assert empty == 1 and values["volume_drift"] == 1.0 and "point_jitter" not in values
