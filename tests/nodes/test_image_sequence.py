"""A folder of pictures becomes a batch of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image


def fill(folder, count=12, mode="RGBA", size=(40, 30)):
    """Pictures frame0 ... without leading zeros, each of its own grey, written last first."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in reversed(range(count)):
        picture = np.full((size[1], size[0], len(mode)), 10 * index + 5, np.uint8)
        Image.fromarray(picture, mode).save(folder / f"frame{index}.png")
    return folder


def listed(nodes):
    return nodes["ShapeGen4D_LoadImageSequence"].define_schema().inputs[0].options["options"]


def greys(images):
    return [round(float(image[0, 0, 0]) * 255) for image in images]


def test_pictures_come_in_the_order_of_their_numbers_with_alpha(run, base):
    fill(base / "input" / "walks" / "one")
    images, frames = run("LoadImageSequence", folder="walks/one").result
    assert images.shape == (12, 30, 40, 4) and images.dtype == torch.float32 and frames == 12
    assert greys(images) == [10 * index + 5 for index in range(12)]
    assert torch.equal(images[..., 3], images[..., 0])
    chosen, frames = run("LoadImageSequence", folder="walks/one", start=1, stop=9, stride=4).result
    assert greys(chosen) == [15, 55] and frames == 2


def test_pictures_without_alpha_have_three_channels_and_a_mixture_four(run, base):
    folder = fill(base / "input" / "plain", 3, "RGB")
    assert run("LoadImageSequence", folder="plain").result[0].shape == (3, 30, 40, 3)
    Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(folder / "frame1.png")
    images = run("LoadImageSequence", folder="plain").result[0]
    assert [float(image[..., 3].mean()) for image in images] == [1.0, 0.0, 1.0]


def test_folders_with_pictures_are_listed(nodes, base, run):
    fill(base / "input" / "listed" / "deep", 2)
    (base / "input" / "listed" / "none").mkdir()
    fill(base / "output" / "made", 2)
    names = listed(nodes)
    assert names[0] == "none" and "listed/deep" in names and "made [output]" in names
    assert not {"listed", "listed/none", "."} & set(names)
    assert run("LoadImageSequence", folder="made [output]").result[1] == 2


def test_linked_folders_are_listed_and_read_and_circles_end(nodes, base, run, tmp_path):
    fill(tmp_path / "renders" / "walk", 2)
    (base / "input").mkdir(exist_ok=True)
    (base / "input" / "farm").symlink_to(tmp_path / "renders")
    (tmp_path / "renders" / "walk" / "again").symlink_to(tmp_path / "renders")
    assert [name for name in listed(nodes) if name.startswith("farm")] == ["farm/walk"]
    assert run("LoadImageSequence", folder="farm/walk").result[1] == 2


@pytest.mark.parametrize("name", ["../secret", "/etc", "one/../../secret", "gone", "", "gone [output]", "picture.png"])
def test_nothing_outside_the_folders_is_read(run, base, name):
    fill(base / "secret", 2)
    Image.new("RGB", (8, 8)).save(base / "input" / "picture.png")
    with pytest.raises(ValueError, match="There is no folder .* press R and choose it from the list"):
        run("LoadImageSequence", folder=name)


def test_without_a_folder_it_says_where_to_put_one(run):
    with pytest.raises(ValueError, match="No folder is chosen in folder; choose one, or put a folder of pictures into"):
        run("LoadImageSequence", folder="none")


def test_what_cannot_be_read_is_one_sentence(run, base):
    folder = fill(base / "input" / "broken", 3)
    (folder / "frame1.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="frame1.png is not a readable image"):
        run("LoadImageSequence", folder="broken")
    Image.new("RGB", (9, 9)).save(folder / "frame1.png")
    with pytest.raises(ValueError, match="must have one size"):
        run("LoadImageSequence", folder="broken")
    with pytest.raises(ValueError, match="start is 7, but there are 3 frames"):
        run("LoadImageSequence", folder="broken", start=7)


def test_a_changed_folder_is_read_again(nodes, base):
    node = nodes["ShapeGen4D_LoadImageSequence"]
    folder = fill(base / "input" / "again", 2)
    before = node.fingerprint_inputs("again", 0, 0, 1)
    assert node.fingerprint_inputs("again", 0, 0, 1) == before
    Image.new("RGBA", (40, 30)).save(folder / "frame2.png")
    assert node.fingerprint_inputs("again", 0, 0, 1) != before
    assert node.fingerprint_inputs("none", 0, 0, 1) == "none"


def test_it_can_be_stopped(run, base, monkeypatch, pack):
    class StoppedError(BaseException):
        pass

    def stop():
        raise StoppedError

    fill(base / "input" / "stopped", 2)
    monkeypatch.setattr("pack_under_test.nodes.host.check_stopped", stop)
    with pytest.raises(StoppedError):
        run("LoadImageSequence", folder="stopped")


def test_frames_go_on_to_the_clip(run, base, chain, frames):
    images, mask = frames
    folder = base / "input" / "disc"
    folder.mkdir(parents=True)
    for index, rgba in enumerate(torch.cat([images, mask[..., None]], dim=3).mul(255).byte().numpy()):
        Image.fromarray(rgba, "RGBA").save(folder / f"{index}.png")
    batch = run("LoadImageSequence", folder="disc").result[0]
    clip = run("LoadVideoFrames", model=chain["model"], video=batch, fps=10.0).result[0]
    assert torch.allclose(clip.frames, chain["clip"].frames, atol=0.01)
