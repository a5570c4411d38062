from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from shapegen4d_core import cli, models
from shapegen4d_core.data.shards import clip_names, generate
from shapegen4d_core.decoding.grid import Grid
from shapegen4d_core.errors import InputError
from shapegen4d_core.evaluation.decoded import Decoded, decode_fields
from shapegen4d_core.evaluation.judge import Judge, fingerprint, score
from shapegen4d_core.evaluation.mean_shape import mean_shape
from shapegen4d_core.evaluation.methods import METHODS, NEED_DATA, chosen_methods
from shapegen4d_core.evaluation.neighbours import NearestFrames
from shapegen4d_core.evaluation.procedural import Plan, run_plan
from shapegen4d_core.evaluation.score_file import Row, ScoreFile
from shapegen4d_core.evaluation.truth import procedural_settings
from shapegen4d_core.pipeline import sampler_settings

SPAN = np.linspace(-0.6, 0.6, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tiny model with random weights, and slots."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model")
    models.save(models.build("tiny"), path)
    anchors = np.random.default_rng(0).uniform(-0.8, 0.8, (64, 3))
    save_file({"anchors": anchors}, path / "anchors.safetensors")
    return path


@pytest.fixture(scope="module")
def judge(folder):
    model = models.load(folder)
    anchors = np.random.default_rng(0).uniform(-0.8, 0.8, (64, 3))
    return Judge(model, anchors, sampler_settings(model, steps=1, guidance=1.0), resolution=10, points=200)


@pytest.fixture(scope="module")
def truth(judge):
    return judge.truth(*clip_names(0, 1, "test")[0])


def test_the_truth_itself_is_perfect_and_its_second_sample_is_the_floor(judge, truth):
    exact = score(Decoded(truth.fields, [], truth.points), truth)
    floor = score(judge.result("floor", None, truth), truth)
    for values in (exact, floor):
        assert values["iou"] == 1 and values["jitter"] == pytest.approx(1) and values["volume_drift"] == 0
    assert exact["chamfer"] == 0 and 0.05 < floor["chamfer"] < 0.4
    surface = judge.resolution / 2
    index = np.round((truth.points[0] / 1.05 + 1) * surface).astype(int)
    assert np.abs(truth.fields[0][tuple(index.T)]).mean() < np.abs(truth.fields[0]).mean(), "points lie on the surface"


def test_a_vanishing_shape_is_the_worst_in_everything_it_lacks(judge, truth):
    fields = np.full_like(truth.fields, -1.0)
    nothing = decode_fields(fields, judge.grid, 50)
    values = score(nothing, truth)
    assert nothing.empty_frames == len(truth.fields)
    assert (values["iou"], values["chamfer"], values["jitter"], values["f_0.05"]) == (0, 2, 10, 0)


def test_a_model_without_slots_is_encoded_from_the_first_points(judge, truth):
    other = replace(judge, anchors=None).truth(truth.name, truth.seed)
    assert other.latents.shape == truth.latents.shape and not torch.equal(other.latents, truth.latents)
    assert np.array_equal(other.fields, truth.fields)


def test_methods_see_the_clip_and_the_seed(judge, truth):
    first = judge.latents("base-shared", 0, truth)
    assert torch.equal(first, judge.latents("base-shared", 0, truth)) and first.shape == truth.latents.shape
    assert not torch.equal(first, judge.latents("base-shared", 1, truth))
    assert not torch.equal(first, judge.latents("base-independent", 0, truth))
    other = replace(truth, rgba=truth.rgba[:, ::-1].copy())
    bank = NearestFrames(np.stack([truth.rgba, other.rgba]), np.stack([truth.latents, -truth.latents]))
    found = replace(judge, neighbours={"nearest-picture": bank}).latents("nearest-picture", None, other)
    assert torch.equal(found, -truth.latents)


def test_the_mean_shape_is_one_the_training_clips_have_in_common(judge):
    settings = procedural_settings(judge.model.config)
    field = mean_shape(Grid(12, 1.05), settings, clips=4)
    assert field.shape == (13, 13, 13) and (field > 0).any() and field.max() <= 1
    middle, corner = field[5:8, 5:8, 5:8].max(), field[[0, 0, -1, -1], [0, -1, 0, -1], 0].max()
    assert middle > 0 > corner


def test_the_default_methods_are_those_that_can_run(judge):
    model = judge.model
    assert chosen_methods(None, model, True) == [name for name in METHODS if name != "adapter-independent"]
    assert not set(chosen_methods(None, model, False)) & set(NEED_DATA)
    assert chosen_methods("adapter-shared, floor", model, False) == ["floor", "adapter-shared"]
    without = replace(model, adapter=None)
    assert "adapter-shared" not in chosen_methods(None, without, False)
    for names, chosen, said in (("best", model, "best"), ("nearest-picture", model, "--data"),
                                ("adapter-shared", without, "adapter"), (" ", model, "methods")):
        with pytest.raises(InputError, match=said):
            chosen_methods(names, chosen, False)


def counted(task):
    """Rows without a model: what they say depends on the run alone."""
    name = "-".join(map(str, task.clip))
    values = [{"iou": float(len(method) + (seed or 0))} for method, seed in task.runs]
    return [Row(name, task.clip[0], *run, found) for run, found in zip(task.runs, values)]


def test_a_stopped_evaluation_goes_on_and_ends_the_same(tmp_path):
    plan = Plan(("floor", "base-shared"), clips=2, seeds=(0, 1))
    assert [len(task.runs) for task in plan.tasks()] == [2, 1, 2, 1]
    whole = run_plan(plan, counted)
    part = run_plan(replace(plan, seeds=(1,)), counted, ScoreFile(tmp_path, {"a": 1}))
    assert len(part) == 4
    asked = []
    scores = ScoreFile(tmp_path, {"a": 1})
    rows = run_plan(plan, lambda task: asked.append(task) or counted(task), scores)
    assert sum(len(task.runs) for task in asked) == 2, "only seed 0 is new"
    assert sorted(map(repr, rows)) == sorted(map(repr, whole)) and len(ScoreFile(tmp_path, {"a": 1}).rows) == 6
    fewer = run_plan(replace(plan, clips=1), counted, scores)
    assert {row.asset for row in fewer} == {whole[0].asset}


def test_workers_give_the_same_rows():
    plan = Plan(("floor", "base-shared"), clips=4, seeds=(0, 1))
    alone, together = run_plan(plan, counted), run_plan(plan, counted, workers=2)
    assert sorted(map(repr, alone)) == sorted(map(repr, together)) and len(alone) == 12


def test_the_fingerprint_changes_with_any_part(judge):
    model = judge.model
    before = fingerprint(model)
    weight = next(iter(model.adapter.parameters())).data
    weight += 1
    changed = fingerprint(model)
    weight -= 1
    assert before != changed


def test_the_verb_reports_and_resumes(folder, tmp_path, capsys):
    given = ["evaluate", "--model", folder, "--clips", 1, "--resolution", 12, "--steps", 1, "--workers", 1, "--quiet"]
    given += ["--methods", "floor,adapter-shared", "-o", tmp_path / "out"]
    assert cli.main([str(part) for part in given]) == 0
    said = capsys.readouterr().out
    assert "| truth sampled twice (noise floor) | 1.000 [1.000, 1.000] |" in said and "8192 of prediction" in said
    lines = (tmp_path / "out" / "scores.jsonl").read_text()
    assert len(lines.splitlines()) == 3
    assert cli.main([str(part) for part in given]) == 0
    assert (tmp_path / "out" / "scores.jsonl").read_text() == lines
    given[given.index("--steps") + 1] = 2
    assert cli.main([str(part) for part in given]) == cli.REFUSED and "sampling" in capsys.readouterr().err


def test_the_contact_sheet_shows_every_row(folder, tmp_path):
    path = tmp_path / "sheet.png"
    given = ["evaluate", "--model", folder, "--sheet", path, "--sheet-clips", 1, "--resolution", 12, "--steps", 1]
    given += ["--methods", "autoencoder", "--quiet"]
    assert cli.main([str(part) for part in given]) == 0
    picture = np.asarray(Image.open(path))
    height = picture.shape[0] // 3
    for row in range(2):  # input and truth; a random autoencoder may draw anything
        part = picture[row * height + 20 : (row + 1) * height]
        assert (part < 200).any(axis=-1).sum() > 500


def test_curated_shards_are_scored_with_a_sheet(folder, tmp_path, capsys):
    settings = replace(procedural_settings(models.load(folder).config), frames=2, surface_points=1024)
    list(generate(tmp_path / "data", 1, "unseen", 1, settings))
    given = ["evaluate", "--model", folder, "--shards", tmp_path / "data", "--split", "unseen", "--resolution", 12]
    given += ["--steps", 1, "--methods", "autoencoder", "--quiet", "-o", tmp_path / "out"]
    assert cli.main([str(part) for part in given]) == 0
    said = capsys.readouterr().out
    assert "IoU near the surface" in said and "noise floor of half the points" in said and "1024 of prediction" in said
    assert Image.open(tmp_path / "out" / "sheet.png").size[0] > 200
