import math
import sys
import types

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen4d_core import cli
from shapegen4d_core.evaluation import learned
from shapegen4d_core.evaluation.compare_pictures import PictureJudge, read_frames, set_fvd
from shapegen4d_core.evaluation.pictures import over_white, picture_measures, psnr, silhouette_iou, ssim

RNG = np.random.default_rng(0)
FIRST = RNG.random((2, 24, 20, 3)).astype(np.float32)
SECOND = (0.7 * FIRST + 0.3 * RNG.random(FIRST.shape)).astype(np.float32)


def test_psnr_equals_its_definition():
    errors = [((a - b) ** 2).mean() for a, b in zip(FIRST.astype(float), SECOND)]
    assert psnr(FIRST, SECOND) == pytest.approx(np.mean([10 * math.log10(1 / error) for error in errors]))
    assert psnr(FIRST, FIRST) == 99


def test_ssim_equals_its_definition():
    """Gaussian window of 11 pixels, deviation 1.5, over the pixels where it fits, mean over channels."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    total = []
    for a, b in zip(FIRST.astype(float), SECOND.astype(float)):
        for channel in range(3):
            for i in range(5, 24 - 5):
                for j in range(5, 20 - 5):
                    x, y = (picture[i - 5 : i + 6, j - 5 : j + 6, channel] for picture in (a, b))
                    mx, my = (window * x).sum(), (window * y).sum()
                    vx, vy = (window * x * x).sum() - mx**2, (window * y * y).sum() - my**2
                    both = (window * x * y).sum() - mx * my
                    total.append((2 * mx * my + 1e-4) * (2 * both + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert ssim(FIRST, SECOND) == pytest.approx(np.mean(total), abs=1e-6)


def test_silhouettes_of_known_boxes():
    first, second = np.zeros((2, 3, 6, 6))
    first[0, :4], second[0, 2:] = 1, 1
    first[1], second[2] = 0.4, 0.9  # below one half is background
    assert silhouette_iou(first, second) == pytest.approx((12 / 36 + 1 + 0) / 3)


def test_pictures_are_compared_over_white():
    clear = np.zeros((1, 12, 12, 4), np.uint8)
    clear[..., :3] = 77
    white = np.full((1, 12, 12, 4), 255, np.uint8)
    found = picture_measures(clear, white)
    assert np.allclose(over_white(clear), 1) and found["psnr"] == 99 and found["silhouette_iou"] == 0


def test_the_frechet_distance_equals_the_reference(golden):
    data = golden("metrics")
    found = learned.frechet_distance(data["frechet.features_a"], data["frechet.features_b"])
    assert found == pytest.approx(float(data["frechet.distance"][0]), rel=1e-4)


def test_what_is_missing_is_named_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(learned, "find_spec", lambda name: None)
    reasons = learned.unavailable(tmp_path)
    assert set(reasons) == set(learned.LEARNED) and "the package open_clip_torch missing" in reasons["clip"]
    hub = types.ModuleType("huggingface_hub")
    hub.try_to_load_from_cache = lambda repository, name: None
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(learned, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    reasons = learned.unavailable(tmp_path)
    assert reasons["lpips"].endswith("vgg16-397923af.pth missing") and "bigG" in reasons["clip"]
    assert "dino_vitb16_pretrain.pth" in reasons["dreamsim"] and learned.I3D_FILE in reasons["fvd_pair"]
    assert learned.load_available(tmp_path) == {} and list(tmp_path.iterdir()) == []
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth").touch()
    assert "lpips" not in learned.unavailable(tmp_path)


def test_pairs_and_the_set_are_two_different_distances(tmp_path):
    """The logits are stood in for by a clip's mean colour and deviation."""
    pairs = []
    for number in range(3):
        for side, shade in (("p", 60 + 40 * number), ("t", 90 + 30 * number)):
            (tmp_path / side / str(number)).mkdir(parents=True)
            for t in range(2):
                Image.new("RGB", (16, 16), (shade + t,) * 3).save(tmp_path / side / str(number) / f"{t}.png")
        pairs.append((str(number), tmp_path / "p" / str(number), tmp_path / "t" / str(number)))
    judge = PictureJudge(16, {"fvd_pair": lambda frames: np.array([frames.mean(), frames.std()])}, {})
    (row,) = judge(pairs[0])
    assert row.values["fvd_pair"] == pytest.approx((30 / 255) ** 2, rel=1e-3) and "silhouette_iou" not in row.values
    features = [np.stack([judge.learned["fvd_pair"](over_white(read_frames(pair[side], 16)[0])) for pair in pairs])
                for side in (1, 2)]
    rows = [row for pair in pairs for row in judge(pair)]
    assert set_fvd(judge, pairs, rows).endswith(f"{learned.frechet_distance(*features):.1f}")
    assert "not available" in (said := set_fvd(PictureJudge(16), pairs, rows)) or "not asked" in said
    (tmp_path / "p" / "2" / "1.png").write_bytes(b"no picture")
    rows = [row for pair in pairs for row in judge(pair)]
    assert "over the set of 2 clips, without 1 that failed" in set_fvd(judge, pairs, rows)


def test_clips_too_short_for_a_network_go_without_it_and_are_counted(tmp_path):
    """The network fails as I3D does on clips shorter than it takes."""

    def logits(frames):
        if len(frames) < 16:
            raise RuntimeError("kernel size can't be greater than actual input size")
        return np.array([frames.mean(), frames.std()])

    pairs = []
    for name, count in (("short", 8), ("long", 16), ("longer", 17)):
        for side in "pt":
            (tmp_path / side / name).mkdir(parents=True)
            for t in range(count):
                Image.new("RGB", (16, 16), (9 * t, 0, 0)).save(tmp_path / side / name / f"{t:02d}.png")
        pairs.append((name, tmp_path / "p" / name, tmp_path / "t" / name))
    judge = PictureJudge(16, {"fvd_pair": logits})
    rows = [row for pair in pairs for row in judge(pair)]
    assert ["fvd_pair" in row.values for row in rows] == [False, True, True] and "psnr" in rows[0].values
    said = set_fvd(judge, pairs, rows)
    assert "over the set of 2 clips, without 1 too short" in said and "at least 16 frames" in said
    said = set_fvd(judge, pairs[:1], rows[:1])
    assert "at least 2 clips" in said and "FVD needs at least 16 frames" in said


def test_the_verb_compares_videos_and_lists_what_is_not_there(tmp_path, capsys):
    for side, shade in (("p", 100), ("t", 120)):
        (tmp_path / side).mkdir()
        frames = [Image.new("RGBA", (20, 20), (shade, t, 0, 255)) for t in range(2)]
        frames[0].save(tmp_path / side / "clip.webp", save_all=True, append_images=frames[1:], lossless=True)
    (tmp_path / "t" / "gone").mkdir()
    frames[0].save(tmp_path / "t" / "gone" / "0.png")
    given = ["evaluate", "--predictions", tmp_path / "p", "--truth", tmp_path / "t", "--protocol", "pictures"]
    given += ["--weights", tmp_path / "none", "--quiet"]
    assert cli.main([str(part) for part in given]) == 0
    said = capsys.readouterr().out
    assert "fvd_pair: not available" in said and "there is no prediction of this name" in said and "1 of 2" in said
