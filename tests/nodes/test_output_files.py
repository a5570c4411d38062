"""Where nodes that save may write: below the output folder only, and the user is told why not led_astray."""

from __future__ import annotations

import pytest
import torch


@pytest.mark.parametrize("prefix", ["../../led_astray", "/tmp/led_astray", "3d/../../led_astray"])
def test_a_prefix_that_leads_led_astray_is_one_sentence(run, base, prefix):
    with pytest.raises(ValueError, match="which is not below ComfyUI's output folder; give a name") as caught:
        run("SaveAnimation", images=torch.rand(2, 8, 8, 3), filename_prefix=prefix)
    assert "\n" not in str(caught.value) and repr(prefix) in str(caught.value)
    assert not list(base.parent.rglob("led_astray*"))


@pytest.mark.parametrize("prefix", ["", ".", "3d/.."])
def test_a_prefix_without_a_name(run, prefix):
    with pytest.raises(ValueError, match="which names no file"):
        run("SaveAnimation", images=torch.rand(2, 8, 8, 3), filename_prefix=prefix)


def test_a_file_is_no_folder(run, base):
    (base / "output").mkdir(exist_ok=True)
    (base / "output" / "taken").write_text("here", encoding="ascii")
    with pytest.raises(ValueError, match="there is no such folder to write into"):
        run("SaveAnimation", images=torch.rand(2, 8, 8, 3), filename_prefix="taken/walk")
    (base / "output" / "taken").unlink()


def test_numbers_go_up_and_tokens_are_filled_in(run):
    names = [run("SaveAnimation", images=torch.rand(2, 8, 8, 3), filename_prefix="numbered/a").result[0] for _ in "12"]
    assert names == ["numbered/a_00001_.mp4", "numbered/a_00002_.mp4"]
