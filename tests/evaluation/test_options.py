"""``evaluate`` says which options do nothing, and which models its clips do not fit."""

import json
import shutil

import pytest

from shapegen4d_core import cli
from shapegen4d_core.models.layout import model_folder

IDLE = [
    (["--shards", "s", "--points", "5"], "--points would do nothing with --shards"),
    (["--shards", "s", "--protocol", "none"], "--protocol would do nothing with --shards"),
    (["--shards", "s", "--clips", "64", "--workers", "2"], "--clips, --workers would do nothing with --shards"),
    (["--shards", "s", "--methods", "mean"], "method mean"),
    (["--shards", "s", "--methods", "autoencoder,nearest-picture"], "method nearest-picture"),
    (["--shards", "s", "--predictions", "p", "--truth", "t"], "--shards would do nothing with --predictions"),
    (["--predictions", "p", "--truth", "t", "--model", "tiny"], "--model would do nothing with --predictions"),
    (["--predictions", "p", "--truth", "t", "--seeds", "0", "--steps", "3"], "--seeds, --steps would do nothing"),
    (["--predictions", "p", "--truth", "t", "--weights", "w"], "--weights would do nothing with --predictions"),
    (["--predictions", "p", "--truth", "t", "--protocol", "pictures", "--points", "5"], "with --protocol pictures"),
    (["--sheet", "s.png", "--clips", "3"], "--clips would do nothing with --sheet"),
    (["--sheet-clips", "3"], "--sheet-clips would do nothing with procedural clips"),
    (["--protocol", "pictures"], "--protocol would do nothing with procedural clips"),
]


@pytest.mark.parametrize(("given", "said"), IDLE)
def test_options_that_would_do_nothing_are_refused(given, said, capsys):
    assert cli.main(["evaluate", *given]) == cli.REFUSED
    found = capsys.readouterr().err
    assert said in found and len(found.strip().splitlines()) == 1


def test_a_model_that_procedural_clips_do_not_fit_is_sent_to_shards(tmp_path, capsys):
    shutil.copytree(model_folder("tiny"), tmp_path / "large")
    path = tmp_path / "large" / "vae" / "config.json"
    config = json.loads(path.read_text())
    config["n_samples"] = 16384
    path.write_text(json.dumps(config))
    assert cli.main(["evaluate", "--model", str(tmp_path / "large"), "--clips", "1", "--quiet"]) == cli.REFUSED
    said = capsys.readouterr().err
    assert "16384 surface points" in said and "tiny preset" in said and "--shards" in said
