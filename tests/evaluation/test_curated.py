import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from shapegen4d_core import cli, models
from shapegen4d_core.data.shards import generate, read_asset, write_shard
from shapegen4d_core.evaluation.curated import read_clips
from shapegen4d_core.evaluation.truth import procedural_settings


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Arrays and description of one shard turned to its view."""
    folder = tmp_path_factory.mktemp("made")
    settings = replace(procedural_settings(models.load("tiny").config), frames=3, surface_points=1024)
    list(generate(folder, 1, "unseen", 1, settings))
    (path,) = (folder / "unseen").glob("*.safetensors")
    return load_file(path), read_asset(path)


def write(folder, name, made, views=1, **said):
    arrays, asset = made
    twice = {key: np.concatenate([arrays[key]] * views) for key in ("rgba", "azimuth", "elevation")}
    write_shard(folder / "test" / f"{name}.safetensors", arrays | twice, asset | {"sha256": "1" * 64} | said)


def turned(folder, made):
    """Two views of one source, a shard each."""
    for view in range(2):
        write(folder, f"panda-v{view}", made)


def canonical(folder, made):
    """Two views of one source in one shard."""
    write(folder, "panda", made, views=2, frame="canonical")


@pytest.mark.parametrize("shards", [turned, canonical])
def test_views_of_one_source_are_one_asset(tmp_path, made, capsys, shards):
    shards(tmp_path, made)
    clips = read_clips(tmp_path, "test", models.load("tiny"))
    assert [clip.asset for clip in clips] == ["panda"] * 2 and len({clip.name for clip in clips}) == 2
    given = ["evaluate", "--shards", tmp_path, "--resolution", 12, "--methods", "autoencoder", "--quiet"]
    assert cli.main([str(part) for part in (*given, "-o", tmp_path / "out")]) == 0
    assert "2 views of 1 curated assets" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["methods"]["autoencoder"]["measures"]["iou"]["count"] == 1
    assert 0 <= report["methods"]["autoencoder"]["measures"]["volume_drift"]["mean"] < 0.5


def test_other_sources_stay_other_assets_whatever_they_are_called(tmp_path, made):
    write(tmp_path, "walk-v1", made, frame="canonical")
    write(tmp_path, "walk-v2", made, frame="canonical", sha256="2" * 64)
    write(tmp_path, "run-v0", made, sha256="3" * 64)
    clips = read_clips(tmp_path, "test", models.load("tiny"))
    assert [clip.asset for clip in clips] == ["run", "walk-v1", "walk-v2"]
