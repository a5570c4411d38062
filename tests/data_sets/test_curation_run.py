"""Folders of files to shards: names, rights, refusals, resuming after a kill, the same bytes from any workers."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from safetensors.numpy import load_file

from shapegen4d_core import cli
from shapegen4d_core.cli import curate as curate_command
from shapegen4d_core.data import shards
from shapegen4d_core.data.curation import ray_backend, run
from shapegen4d_core.data.curation.run import Rights, curate, find_files, read_rights, summary, table
from shapegen4d_core.data.curation.settings import FULL, TINY, CurationSettings, preset
from shapegen4d_core.data.curation.settings import PRESETS as CURATION_PRESETS
from shapegen4d_core.data.jobs import MADE, Outcome
from shapegen4d_core.data.procedural import ProceduralSettings
from shapegen4d_core.errors import InputError
from shapegen4d_core.export import write_glb
from shapegen4d_core.importing import to_sequence
from shapegen4d_core.models.presets import PRESETS as MODEL_PRESETS

ROOT = Path(__file__).parents[2]
RIGHTS = Rights("CC0-1.0", "nobody")


@pytest.fixture
def folder(tmp_path, make):
    """Two lively assets, one that stands still and one that is no glTF."""
    (tmp_path / "in" / "Sub Folder").mkdir(parents=True)
    ball = trimesh.creation.icosphere(2, 0.5)
    moves = {
        "grow.glb": lambda v, u: v * (1 + u * np.array([1, 0, 0])),
        "Sub Folder/Lean (2).glb": lambda v, u: v + u * v[:, 1:2] * np.array([0.8, 0, 0]),
        "still.glb": lambda v, u: v,
    }
    for name, move in moves.items():
        write_glb(to_sequence(make(ball, move)), tmp_path / "in" / name)
    (tmp_path / "in" / "broken.glb").write_bytes(b"glTF and nothing else")
    return tmp_path / "in"


def states(outcomes):
    return {outcome.name: (outcome.state, outcome.reason) for outcome in outcomes}


def test_refusals_are_named_counted_remembered_and_can_be_retried(folder, tmp_path, fast, bending, monkeypatch):
    data = tmp_path / "data"
    outcomes = list(curate(folder, data, fast, RIGHTS, workers=1))
    assert states(outcomes) == {
        "broken": ("rejected", "unreadable file"),
        "grow": ("made", ""),
        "still": ("rejected", "no motion"),
        "sub-folder-lean-2": ("made", ""),
    }
    report = json.loads((data / "train" / "curation.json").read_text())
    assert report["counts"] == {"made": 2, "kept": 0, "rejected": 2, "failed": 0}
    assert set(report["rejected"]["no motion"]) == {"still"} and report["seconds_per_shard"] > 0
    assert "| rejected: no motion | 1 | still |" in table(report)
    calls = []
    monkeypatch.setattr(run, "curate_file", lambda name, job: calls.append(name))
    again = states(curate(folder, data, fast, RIGHTS, workers=1))
    assert again["grow"] == ("kept", "") and again["still"] == ("rejected", "no motion") and calls == []
    monkeypatch.undo()
    retried = [o.name for o in curate(folder, data, fast, RIGHTS, workers=1, retry=True) if o.seconds]
    assert retried == ["broken", "still"]
    write_glb(to_sequence(bending), folder / "still.glb")  # another file under the same name is looked at again
    assert states(curate(folder, data, fast, RIGHTS, workers=1))["still"] == ("made", "")
    assert not list(data.rglob("still.rejected.json"))


def test_shards_name_their_source_and_rights(folder, tmp_path, fast):
    rights = Rights("CC0-1.0", "nobody", {"grow.glb": {"licence": "CC-BY-4.0", "attribution": "A. Maker"}})
    list(curate(folder, tmp_path, fast, rights, "test", workers=1))
    grow = shards.read_asset(tmp_path / "test" / "grow.safetensors")
    assert (grow["licence"], grow["attribution"], grow["source"]) == ("CC-BY-4.0", "A. Maker", "grow.glb")
    assert len(grow["sha256"]) == 64 and grow["seed"] is None and grow["settings"]["resolution"] == 24
    lean = shards.read_asset(tmp_path / "test" / "sub-folder-lean-2.safetensors")
    assert lean["licence"] == "CC0-1.0" and lean["source"] == "Sub Folder/Lean (2).glb"
    assert str(tmp_path) not in json.dumps(lean)
    read = shards.read_shards(tmp_path, "test")
    assert read["surface"].shape == (2, 2, 256, 6) and read["rgba"].shape == (2, 2, 24, 24, 4)
    assert all(np.isfinite(value.astype(np.float32)).all() for value in read.values())


def test_the_same_bytes_from_one_worker_two_and_another_run(folder, tmp_path, fast):
    for name, workers in (("a", 1), ("b", 2)):
        list(curate(folder, tmp_path / name, fast, RIGHTS, workers=workers))
    files = sorted((tmp_path / "a" / "train").glob("*.safetensors"))
    assert len(files) == 2
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / "train" / path.name).read_bytes()
    list(curate(folder, tmp_path / "c", replace(fast, seed=1), RIGHTS, workers=1))
    other = load_file(tmp_path / "c" / "train" / files[0].name)
    assert not np.array_equal(other["near"], load_file(files[0])["near"])


def test_a_killed_run_resumes_without_redoing_what_is_finished(folder, tmp_path, make):
    """SIGKILL at the first shard: that one stays as it is, the others follow, nothing is half-written."""
    ball = trimesh.creation.icosphere(2, 0.5)
    for number in range(2):
        mesh = make(ball, lambda v, u, n=number: v * (1 + u * np.array([1, 0.2 + 0.2 * n, 0])))
        write_glb(to_sequence(mesh), folder / f"more{number}.glb")
    command = [sys.executable, "-m", "shapegen4d_core", "curate", "--input", str(folder), "-o", str(tmp_path / "data")]
    command += "--licence CC0-1.0 --workers 1 --views 1 --frames 2 --resolution 24 --image-size 24".split()
    shards_folder = tmp_path / "data" / "train"
    first_run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while not list(shards_folder.glob("*.safetensors")) and first_run.poll() is None:
        time.sleep(0.005)
    first_run.kill()
    first_run.wait()
    before = {path.name: path.stat().st_mtime_ns for path in shards_folder.glob("*.safetensors")}
    assert 0 < len(before) < 4
    settings = preset("tiny", views=1, frames=2, resolution=24, image_size=24)
    made = states(curate(folder, tmp_path / "data", settings, Rights("CC0-1.0"), workers=1))
    assert {name for name, (state, _) in made.items() if state == "kept"} == {name[:-12] for name in before}
    after = {path.name: path.stat().st_mtime_ns for path in shards_folder.glob("*.safetensors")}
    assert len(after) == 4 and all(after[name] == stamp for name, stamp in before.items())
    shards.read_shards(tmp_path / "data")


def test_curated_shards_stack_with_procedural_ones(folder, tmp_path):
    settings = preset("tiny", frames=2, resolution=24, views=1)
    list(curate(folder, tmp_path, settings, RIGHTS, workers=1))
    list(shards.generate(tmp_path, 1, "train", 1, ProceduralSettings(frames=2)))
    read = shards.read_shards(tmp_path)
    assert len(read["surface"]) == 3 and read["aligned"].shape == (3, 2, 256, 6)


def test_other_settings_and_unknown_words_are_refused(folder, tmp_path, fast):
    list(curate(folder, tmp_path / "d", fast, RIGHTS, workers=1))
    with pytest.raises(InputError, match="another truncation"):
        list(curate(folder, tmp_path / "d", replace(fast, truncation=0.2), RIGHTS, workers=1))
    with pytest.raises(InputError, match="'threads'"):
        list(curate(folder, tmp_path / "d", fast, RIGHTS, backend="threads"))
    with pytest.raises(InputError, match="no .glb or .gltf"):
        find_files(tmp_path / "nowhere")
    with pytest.raises(InputError, match="--licence"):
        read_rights(None, None, "")
    (tmp_path / "l.json").write_text('["CC0"]')
    with pytest.raises(InputError, match="must hold"):
        read_rights(tmp_path / "l.json", None, "")
    for bad in (dict(frames=1), dict(frame="side"), dict(truncation=0.0), dict(root_motion="half"), dict(margin=2.0)):
        with pytest.raises(InputError, match=next(iter(bad))):
            CurationSettings(**bad)
    with pytest.raises(InputError, match="'huge'"):
        preset("huge")


def test_presets_follow_the_published_and_the_bundled_recipe():
    assert FULL.surface_points + FULL.sharp_points == 32768 and FULL.aligned_points + FULL.aligned_sharp_points == 1024
    procedural = ProceduralSettings()
    for key in ("surface_points", "near_points", "uniform_points", "aligned_points", "truncation", "image_size",
                "frames", "frame", "margin", "foreground_ratio", "fov_degrees", "elevation_degrees"):
        assert getattr(TINY, key) == getattr(procedural, key), key


def test_presets_fill_the_picture_as_their_models_are_used():
    assert {name: chosen.foreground_ratio for name, chosen in CURATION_PRESETS.items()} == {
        "tiny": MODEL_PRESETS["tiny"].foreground_ratio,
        "full": MODEL_PRESETS["step1x-3d"].foreground_ratio,
    }


def test_names_come_from_paths_and_never_clash(tmp_path):
    for name in ("a b.glb", "A-b.gltf", "c/a.glb", "c-a.glb", "note.txt", "\u00e9.glb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = find_files(tmp_path)
    assert len(names) == 5 and all(re.fullmatch("[a-z0-9_-]+", name) for name in names)
    assert find_files(tmp_path / "a b.glb") == {"a-b": tmp_path / "a b.glb"}
    assert names == find_files(tmp_path)


def test_errors_are_failures_not_refusals(folder, tmp_path, fast, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("too large")

    monkeypatch.setattr("shapegen4d_core.data.curation.asset.close_surface", fail)
    outcomes = list(curate(folder, tmp_path, fast, RIGHTS, workers=1))
    report = summary(outcomes, fast)
    assert report["counts"]["failed"] == 2 and "MemoryError: too large" in str(report["failed"]["error"])
    monkeypatch.undo()
    assert states(curate(folder, tmp_path, fast, RIGHTS, workers=1))["grow"] == ("made", "")


def test_the_command_prints_a_table_and_refuses_without_a_licence(folder, tmp_path, capsys):
    given = ["curate", "--input", str(folder), "-o", str(tmp_path / "data"), "--workers", "1", "--frames", "2"]
    assert cli.main(given) == cli.REFUSED and "--licence" in capsys.readouterr().err
    given += ["--licence", "CC0-1.0", "--resolution", "24", "--views", "1", "--image-size", "24", "--split", "test"]
    assert cli.main(given) == 0
    said = capsys.readouterr().out
    assert "| made | 2 | |" in said and "rejected: no motion | 1 | still-v0" in said and "s per frame" in said
    assert len(list((tmp_path / "data" / "test").glob("*.safetensors"))) == 2


GIVEN = {
    "--licence": "CC0-1.0", "--attribution": "A. Maker", "--licences": "l.json", "--split": "test", "--held-out": "0.1",
    "--preset": "full", "--frames": "16", "--fps": "8", "--resolution": "32", "--frame": "view", "--views": "2",
    "--image-size": "64", "--root-motion": "keep", "--seed": "0", "--backend": "ray",
}  # fmt: skip


@pytest.mark.parametrize("option", [*GIVEN, "--retry-rejected"])
def test_procedural_shapes_take_no_options_of_files(tmp_path, capsys, option):
    given = [option, GIVEN[option]] if option in GIVEN else [option]
    assert cli.main(["curate", "-o", str(tmp_path / "data"), "--clips", "1", *given]) == cli.REFUSED
    assert f"Procedural shapes take no {option};" in capsys.readouterr().err and not (tmp_path / "data").exists()


@pytest.mark.parametrize("option", ["--clips", "--test", "--unseen", "--motion"])
def test_files_take_no_counts_of_procedural_shapes(folder, tmp_path, capsys, option):
    given = ["curate", "--input", str(folder), "-o", str(tmp_path / "data"), "--licence", "CC0-1.0", option, "0"]
    assert cli.main(given) == cli.REFUSED
    assert f"Animated files take no {option}," in capsys.readouterr().err


def test_every_option_of_the_command_has_its_kind():
    verbs = argparse.ArgumentParser().add_subparsers()
    curate_command.add_verbs(verbs)
    known = set(vars(verbs.choices["curate"].parse_args(["-o", "data"]))) - {"output", "workers", "input", "run"}
    assert known == {*curate_command._FOR_FILES, *curate_command._CLIPS}


def test_procedural_shapes_of_other_settings_are_not_told_to_give_the_same(tmp_path):
    list(shards.generate(tmp_path, 1, "train", 1, ProceduralSettings(frames=2)))
    with pytest.raises(InputError, match=r"another frames; give another folder\.$"):
        list(shards.generate(tmp_path, 1, "train", 1))


def test_a_ray_task_gives_the_outcome_as_text():
    def work(name, job):
        return Outcome(name, MADE, detail=job) if job else 1 / 0

    task = ray_backend._Task(work, [("a", "x"), ("b", "")])
    first, second = (Outcome(**json.loads(task({"index": index})["outcome"])) for index in (0, 1))
    assert (first.name, first.detail, second.state) == ("a", "x", "failed") and "ZeroDivision" in second.detail


@pytest.mark.skipif("SHAPEGEN4D_TEST_RAY" not in os.environ, reason="takes 14 s: set SHAPEGEN4D_TEST_RAY=1")
def test_ray_writes_the_same_bytes(folder, tmp_path, fast):
    pytest.importorskip("ray.data")
    plain = states(curate(folder, tmp_path / "a", fast, RIGHTS, workers=1))
    rayed = states(curate(folder, tmp_path / "b", fast, RIGHTS, workers=1, backend="ray"))
    assert plain == rayed
    for path in sorted((tmp_path / "a" / "train").glob("*.safetensors")):
        assert path.read_bytes() == (tmp_path / "b" / "train" / path.name).read_bytes()
    assert set(states(curate(folder, tmp_path / "b", fast, RIGHTS, backend="ray")).values()) >= {("kept", "")}


def test_ray_has_the_bounds_of_what_is_called(monkeypatch):
    assert f'ray = ["{ray_backend.PACKAGE}"]' in (ROOT / "pyproject.toml").read_text()
    later = SimpleNamespace(__version__="2.64.0", data=SimpleNamespace(Dataset=SimpleNamespace(map=lambda fn: None)))
    monkeypatch.setitem(sys.modules, "ray", later)
    monkeypatch.setitem(sys.modules, "ray.data", later.data)
    with pytest.raises(InputError, match=r"Ray 2\.64\.0 does not fit"):
        list(ray_backend.run_on_ray(print, [("a", 1)]))


def test_without_ray_the_package_is_named(monkeypatch, fast):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'ray"):
        list(ray_backend.run_on_ray(print, [("a", 1)]))
