"""Models and frames: what is listed, what is read, what is refused."""

from __future__ import annotations

import importlib
import shutil
from fractions import Fraction

import pytest
import torch
from PIL import Image


def test_list_has_the_bundled_model_first_and_folders_below_models(nodes):
    node = nodes["ShapeGen4D_LoadShapeGen4DModel"]
    model = node.define_schema().inputs[0]
    assert model.options["options"] == ["tiny (bundled)", "zoo/random"]


def test_list_finds_models_without_their_index_and_in_every_folder(nodes, base, tmp_path, pack):
    import folder_paths

    folders = importlib.import_module(f"{pack.__name__}.nodes.folders")
    made = ["flat", "a/b/c", "a/b/d/e", "zoo/random/inner", "twice"]
    for name in (*made, "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in made:
        (tmp_path / name / "model_index.json").write_text("{}")
    (tmp_path / "plain" / "transformer").mkdir(parents=True)
    (tmp_path / "plain" / "transformer" / "weights.safetensors").touch()
    again = base / "models" / "shapegen4d" / "twice"
    again.mkdir()
    (again / "model_index.json").write_text("{}")
    folder_paths.add_model_folder_path("shapegen4d", str(tmp_path))
    try:
        found = folders.model_folders()
        assert list(found) == ["a/b/c", "flat", "plain", "twice", "zoo/random"]  # not too deep, not inside another
        assert found["twice"] == again and found["plain"] == tmp_path / "plain"
        (tmp_path / "model_index.json").write_text("{}")  # unpacked into the folder of models itself
        assert folders.model_folders()[tmp_path.name] == tmp_path and "flat" in folders.model_folders()
    finally:
        folder_paths._folders["shapegen4d"].remove(str(tmp_path))
        shutil.rmtree(again)


def test_parts_are_under_the_memory_manager_and_cast(chain):
    import comfy.model_patcher

    model = chain["model"]
    assert set(model.parts) == {"image_encoder", "vae", "denoiser", "adapter"}
    for part in model.parts.values():
        assert isinstance(part.patcher, comfy.model_patcher.CoreModelPatcher)
        layers = [m for m in part.network.modules() if isinstance(m, torch.nn.Linear)]
        assert layers and all(layer.comfy_cast_weights for layer in layers)


def test_a_link_that_leads_nowhere_is_no_reason_to_read_a_model_again(nodes, base):
    node, link = nodes["ShapeGen4D_LoadShapeGen4DModel"], base / "models" / "shapegen4d" / "zoo" / "random" / "old.json"
    before = node.fingerprint_inputs("zoo/random", "auto")
    link.symlink_to(base / "gone.json")
    try:
        assert node.fingerprint_inputs("zoo/random", "auto") == before
    finally:
        link.unlink()


def test_a_linked_name_passes_validation(nodes):
    assert nodes["ShapeGen4D_LoadShapeGen4DModel"].validate_inputs(None) is True  # what the host gives for a link


def test_unknown_model_is_one_sentence(run):
    with pytest.raises(ValueError, match=r"no model named '\.\./secret'.*tiny \(bundled\), zoo/random"):
        run("LoadShapeGen4DModel", model="../secret")


def test_published_model_that_is_not_there_is_said_before_anything_runs(nodes):
    node = nodes["ShapeGen4D_LoadShapeGen4DModel"]
    said = node.validate_inputs("sub/Step1X-3D-Geometry-1300m")
    assert said.startswith("There is no model named 'sub/Step1X-3D-Geometry-1300m' under models/shapegen4d; download ")
    assert "Step1X-3D-Geometry-1300m of https://huggingface.co/stepfun-ai/Step1X-3D into models/shapegen4d" in said
    assert node.validate_inputs("zoo/random") is True and node.validate_inputs("tiny (bundled)") is True


def test_model_is_read_again_when_a_file_changes(nodes, base):
    node = nodes["ShapeGen4D_LoadShapeGen4DModel"]
    before = node.fingerprint_inputs("zoo/random", "auto")
    assert node.fingerprint_inputs("zoo/random", "auto") == before
    settings = base / "models" / "shapegen4d" / "zoo" / "random" / "shapegen4d.json"
    settings.write_text(settings.read_text() + " ")
    assert node.fingerprint_inputs("zoo/random", "auto") != before


def test_loading_shows_progress_and_can_be_stopped(run):
    import comfy.model_management as manager
    import comfy.utils

    comfy.utils.REPORTS.clear()
    run("LoadShapeGen4DModel", model="zoo/random")
    shares = [value / total for value, total in comfy.utils.REPORTS]
    assert len(shares) > 20 and shares == sorted(shares) and shares[-1] == 1
    manager.STOP_AFTER.append(10)
    with pytest.raises(manager.InterruptProcessingException):
        run("LoadShapeGen4DModel", model="zoo/random")


def test_lower_precision_runs_on_the_same_layers(run, chain):
    model = run("LoadShapeGen4DModel", model="zoo/random", precision="bfloat16").result[0]
    assert model.parts["denoiser"].network.dtype == torch.bfloat16
    tokens = run("EncodeDINO", model=model, clip=chain["clip"]).result[0]
    latents = run("Sample4DLatents", model=model, tokens=tokens, seed=1).result[0].latents
    exact = chain["latents"].latents
    assert latents.dtype == torch.float32
    assert 0 < (latents - exact).abs().max() < 0.3 * exact.abs().max()


def test_auto_precision_asks_the_host_only_for_large_models(pack):
    from importlib import import_module

    host = import_module(f"{pack.__name__}.nodes.host")
    assert host.choose_dtype("auto", 5_000_000) == torch.float32
    assert host.choose_dtype("auto", 2_000_000_000) == torch.bfloat16
    assert host.choose_dtype("float16", 1) == torch.float16


def test_clip_takes_size_count_and_margin_from_the_model(chain):
    clip = chain["clip"]
    assert clip.frames.shape == (4, 28, 28, 4)
    assert clip.fps == pytest.approx(8.0)  # 5 frames at 10 per second are half a second, shown by 4
    covered = (clip.frames[..., 3] > 0.5).any(dim=0).any(dim=0).sum()
    assert covered == pytest.approx(0.8 * 28, abs=2)


def test_frames_are_shown_on_white_with_their_mask(run, chain, frames):
    images, mask = frames
    clip, image, shown = run("LoadVideoFrames", model=chain["model"], video=images, mask=mask).result
    assert image.shape == (4, 28, 28, 3) and shown.shape == (4, 28, 28)
    assert torch.equal(shown, clip.frames[..., 3])
    assert torch.all(image[shown == 0] == 1)


def test_inputs_are_left_as_they_are(run, chain, frames):
    images, mask = (part.clone() for part in frames)
    run("LoadVideoFrames", model=chain["model"], video=images, mask=mask, mask_meaning="object is white")
    with pytest.raises(ValueError, match="inverted"):
        run("LoadVideoFrames", model=chain["model"], video=images, mask=mask, mask_meaning="object is black")
    assert torch.equal(images, frames[0]) and torch.equal(mask, frames[1])


def test_mask_meaning_is_explicit(run, chain, frames):
    images, mask = frames
    meaning = {"mask": 1 - mask, "mask_meaning": "object is black"}
    other = run("LoadVideoFrames", model=chain["model"], video=images, fps=10.0, **meaning).result[0]
    assert torch.equal(other.frames, chain["clip"].frames)


def test_settings_reach_the_core(run, chain, frames):
    images, mask = frames
    given = {"start": 1, "stop": 5, "stride": 2, "count": 2, "foreground_ratio": 0.5, "fps": 8.0}
    clip = run("LoadVideoFrames", model=chain["model"], video=images, mask=mask, **given).result[0]
    assert len(clip.frames) == 2 and clip.fps == pytest.approx(4.0, abs=0.01)
    covered = (clip.frames[..., 3] > 0.5).any(dim=0).any(dim=0).sum()
    assert covered == pytest.approx(0.5 * 28, abs=2)


@pytest.fixture(scope="module")
def animation(frames, tmp_path_factory):
    """The frames as an animated WebP with alpha, 10 per second."""
    images, mask = frames
    rgba = (torch.cat([images, mask[..., None]], dim=-1) * 255).round().to(torch.uint8).numpy()
    path = tmp_path_factory.mktemp("clips") / "disc.webp"
    first, *others = (Image.fromarray(frame, "RGBA") for frame in rgba)
    first.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    return path


def test_video_file_is_read_directly(run, chain, animation):
    from comfy_api.latest import InputImpl

    video = InputImpl.VideoFromFile(str(animation))
    clip = run("LoadVideoFrames", model=chain["model"], video=video, fps=99.0).result[0]
    assert clip.name == "disc" and clip.fps == pytest.approx(8.0)
    torch.testing.assert_close(clip.frames[..., 3], chain["clip"].frames[..., 3], atol=0.02, rtol=0)


def test_trimmed_video_is_decoded_by_the_host(run, chain, animation, frames):
    from comfy_api.latest import InputImpl

    video = InputImpl.VideoFromFile(str(animation), start_time=0.1, images=frames[0][1:])
    clip = run("LoadVideoFrames", model=chain["model"], video=video, mask=frames[1][1:], count=2).result[0]
    assert clip.name == "clip" and clip.fps == pytest.approx(5.0)  # the stub's video has 10 frames per second


def test_video_in_memory_keeps_its_rate_and_alpha(run, chain, frames):
    from comfy_api.latest import InputImpl
    from comfy_api.latest.types import Components

    images, mask = frames
    video = InputImpl.VideoFromComponents(Components(images, Fraction(10), alpha=mask[..., None]))
    clip = run("LoadVideoFrames", model=chain["model"], video=video, fps=99.0).result[0]
    assert torch.equal(clip.frames, chain["clip"].frames) and clip.fps == pytest.approx(8.0)


def test_too_few_frames_name_the_widget(run, chain, frames):
    images, mask = frames
    with pytest.raises(ValueError, match="count asks for 9 frames"):
        run("LoadVideoFrames", model=chain["model"], video=images, mask=mask, count=9)


def test_a_larger_size_shows_the_same_square(run, chain, frames):
    images, mask = frames
    large = run("LoadVideoFrames", model=chain["model"], video=images, mask=mask, fps=10.0, size=112).result[0]
    assert large.frames.shape[1:3] == (112, 112) and large.crop == chain["clip"].crop
    small = torch.nn.functional.avg_pool2d(large.frames[..., 3], 4)
    assert (small - chain["clip"].frames[..., 3]).abs().mean() < 0.01


def test_example_video_needs_no_file_of_the_user(run, chain, nodes):
    clips = nodes["ShapeGen4D_ExampleVideo"].define_schema().inputs[0].options["options"]
    for name in clips:
        video = run("ExampleVideo", clip=name).result[0]
        clip = run("LoadVideoFrames", model=chain["model"], video=video, count=4).result[0]
        assert clip.name == name and clip.fps == pytest.approx(4.0, abs=0.01)
        alpha = clip.frames[..., 3]
        assert alpha.min() == 0 and alpha.max() > 0.95 and 0.1 < alpha.mean() < 0.6
    with pytest.raises(ValueError, match="no example clip '../secret'"):
        run("ExampleVideo", clip="../secret")
