"""Free memory, and the second try with half the work."""

import sys
from types import SimpleNamespace

import pytest
import torch

from shapegen4d_core import memory
from shapegen4d_core.errors import InputError
from shapegen4d_core.memory import Halving, free_memory, out_of_memory

OUT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
]


def test_free_memory_is_known_here():
    assert free_memory() > 1 << 20


@pytest.fixture
def no_answer(monkeypatch):
    """A system that has neither /proc nor a name for free pages, as Windows and macOS, and no psutil."""

    def missing(*_):
        raise OSError

    monkeypatch.setattr("builtins.open", missing)
    monkeypatch.setattr(memory.os, "sysconf", missing)
    monkeypatch.setitem(sys.modules, "psutil", None)


def test_nothing_is_refused_where_the_system_does_not_tell(no_answer):
    assert free_memory() == memory.UNKNOWN_FREE_BYTES
    memory.require(1 << 50, "It", "take less")


def test_psutil_is_asked_where_there_is_no_proc(no_answer, monkeypatch):
    answer = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=5 * memory.GIB))
    monkeypatch.setitem(sys.modules, "psutil", answer)
    assert free_memory() == 5 * memory.GIB
    with pytest.raises(InputError, match=r"takes 6.0 GiB of memory and 5.0 GiB are free"):
        memory.require(6 * memory.GIB, "It", "take less")


@pytest.mark.parametrize("device", memory.CARDS)
def test_a_card_has_what_its_driver_and_torch_leave(monkeypatch, device):
    card = SimpleNamespace(
        mem_get_info=lambda _: (3000, 9000), memory_reserved=lambda _: 500, memory_allocated=lambda _: 100
    )
    monkeypatch.setattr(torch, device, card)
    assert free_memory(device) == 3400

    def silent(_):
        raise RuntimeError("The device doesn't support querying the available free memory")

    card.mem_get_info = silent
    assert memory.known_free_memory(device) is None


def test_what_counts_as_out_of_memory(monkeypatch):
    monkeypatch.delattr(torch, "OutOfMemoryError")  # torch before 2.5 has it below torch.cuda only
    assert all(out_of_memory(error) for error in OUT)
    assert not out_of_memory(RuntimeError("shapes cannot be multiplied")) and not out_of_memory(MemoryError())


def too_much_above(limit, error=OUT[0]):
    def work(amount):
        if amount > limit:
            raise error
        return amount

    return work


@pytest.mark.parametrize("error", OUT, ids=str)
def test_half_is_tried_once_and_kept(error):
    halving = Halving(12, "frames at once", "take fewer frames")
    with pytest.warns(UserWarning, match="going on with 6 frames at once"):
        assert halving(too_much_above(6, error)) == 6
    assert halving(too_much_above(6, error)) == 6


def test_when_half_is_too_much_the_setting_is_named():
    with pytest.warns(UserWarning), pytest.raises(InputError, match="with 6 frames at once; take fewer") as caught:
        Halving(12, "frames at once", "take fewer frames")(too_much_above(5))
    assert out_of_memory(caught.value.__cause__)
    with pytest.raises(InputError, match="with 1 frames"):
        Halving(1, "frames at once", "take fewer frames")(too_much_above(0))


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"):
        Halving(12, "frames", "take fewer")(too_much_above(0, RuntimeError("shapes cannot be multiplied")))


class TestTooLarge:
    """Every stage whose memory a user chooses refuses what is not free, in one sentence, before it begins."""

    @pytest.fixture(autouse=True)
    def little_is_free(self, monkeypatch):
        monkeypatch.setattr(memory, "known_free_memory", lambda device="cpu": 2 * memory.GIB)

    def test_the_sentence(self):
        memory.require(2 * memory.GIB, "It", "take less")
        with pytest.raises(InputError, match=r"^It takes 2.5 GiB of memory and 2.0 GiB are free; take less.$"):
            memory.require(2.5 * memory.GIB, "It", "take less")

    def test_frames(self):
        from shapegen4d_core.video import clip_from_frames

        images = torch.rand(8, 16, 16, 4)
        with pytest.raises(InputError, match="clip of 8 frames of 4096 x 4096.*lower size"):
            clip_from_frames(images, 8.0, size=4096)

    def test_a_folder_of_pictures(self, tmp_path, monkeypatch):
        from PIL import Image

        from shapegen4d_core.video import read_pictures

        for number in range(3):
            Image.new("RGBA", (200, 100)).save(tmp_path / f"{number}.png")
        monkeypatch.setattr(memory, "known_free_memory", lambda device="cpu": 2 * 200 * 100 * 4 * 4)
        with pytest.raises(InputError, match="A batch of 3 pictures of 200 x 100 takes.*raise stride"):
            read_pictures(tmp_path)
        assert read_pictures(tmp_path, stride=2).shape == (2, 100, 200, 4)

    def test_a_grid(self):
        from shapegen4d_core.decoding import DecodeSettings, decode_sequence
        from shapegen4d_core.models import PRESETS, build
        from shapegen4d_core.sequence import LatentSequence

        latents = LatentSequence(torch.zeros(1, 64, 8), 8.0, "clip", "tiny", {})
        with pytest.raises(InputError, match="resolution 1024 takes 12.* GiB"):
            decode_sequence(build(PRESETS["tiny"], parts=("vae",)).vae, latents, DecodeSettings(resolution=1024))

    def test_pictures(self):
        from shapegen4d_core import rendering
        from tests.export.shapes import waving

        meshes = waving(4, 8.0)
        camera = rendering.framing_camera(meshes, (8192, 8192), 0.0, 0.0)
        with pytest.raises(InputError, match="4 pictures of 8192 x 8192.*lower width and height"):
            rendering.render_sequence(meshes, camera, 8192)

    def test_a_texture(self):
        from shapegen4d_core.texturing import TextureSettings

        TextureSettings(size=1024).check_memory()
        with pytest.raises(InputError, match="8192 x 8192 takes.*texture_size"):
            TextureSettings(size=8192).check_memory()

    def test_frames_that_are_sampled_together(self, monkeypatch):
        from shapegen4d_core.models import PRESETS
        from shapegen4d_core.sampling import SamplerSettings
        from shapegen4d_core.sampling import memory as sampling_memory
        from shapegen4d_core.sampling.memory import evaluation
        from shapegen4d_core.sampling.sampler import _portions

        monkeypatch.setattr(sampling_memory, "free_memory", memory.free_memory)
        sizes = evaluation(PRESETS["step1x-3d"].denoiser, SamplerSettings(), 300, 1370, 1024, 2)
        with pytest.raises(InputError, match=r"Sampling 300 frames together takes.*count"):
            _portions(SamplerSettings(), sizes, 300, "cpu")
        assert _portions(SamplerSettings(), sizes, None, "cpu")[0] < 300


@pytest.mark.parametrize("version", [0, 1], ids=["version 2", "version 1"])
def test_the_limit_of_a_container_counts(tmp_path, monkeypatch, version):
    limit, used, stat, key = memory.CONTAINER_FILES[version]
    for name, text in ((limit, "3000000"), (used, "2500000"), (stat, f"anon 7\n{key} 400000\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "CONTAINERS", tmp_path)
    assert free_memory() == 900_000
    (tmp_path / limit).write_text("max")
    assert free_memory() > 1 << 20
