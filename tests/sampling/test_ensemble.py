"""Ensembles: the mean of sequences from several noises, for models whose latents have places of their own."""

import pytest
import torch

from shapegen4d_core.errors import Cancelled, InputError
from shapegen4d_core.sampling import draw, sample
from tests.sampling.test_sampler import FRAMES, LATENTS, make, settings, tokens


@pytest.mark.parametrize("noise", ["shared", "independent", "correlated"])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_it_is_the_mean_of_its_members(noise, guidance):
    denoiser, adapter = make()
    chosen = {"noise": noise, "correlation": 0.5, "guidance": guidance, "zero_init": False}
    starts = [draw((1, FRAMES, LATENTS, 4), noise, 0.5, seed=3, member=member) for member in range(3)]
    members = [sample(denoiser, tokens(), settings(**chosen), adapter=adapter, noise=start) for start in starts]
    result = sample(denoiser, tokens(), settings(**chosen, ensemble_size=3), adapter=adapter)
    torch.testing.assert_close(result, torch.stack(members).mean(0), atol=1e-6, rtol=1e-6)
    given = sample(denoiser, tokens(), settings(**chosen, ensemble_size=3), adapter=adapter, noise=starts)
    assert torch.equal(given, result)
    assert not torch.allclose(members[0], members[1], atol=1e-3)


def test_one_member_is_the_plain_result():
    denoiser, _ = make()
    plain = sample(denoiser, tokens(), settings(zero_init=False))
    assert torch.equal(sample(denoiser, tokens(), settings(zero_init=False, ensemble_size=1)), plain)
    assert torch.equal(draw((1, 2, 3, 4), seed=5, member=0), draw((1, 2, 3, 4), seed=5))


def test_members_of_different_seeds_share_no_noise():
    drawn = [draw((1, 1, 8, 8), seed=seed, member=member).flatten() for seed in range(4) for member in range(4)]
    likeness = torch.corrcoef(torch.stack(drawn)) - torch.eye(len(drawn))
    assert likeness.abs().max() < 0.6


def test_anchors_are_held_in_every_member():
    denoiser, _ = make()
    clean, mask = torch.randn(FRAMES, LATENTS, 4), torch.tensor([True] + [False] * (FRAMES - 1))
    chosen = settings(zero_init=False, ensemble_size=3)
    result = sample(denoiser, tokens(), chosen, clean_latents=clean, clean_frames=mask)
    torch.testing.assert_close(result[0], clean[0])


def test_progress_counts_all_steps_and_the_last_picture_is_the_result():
    denoiser, adapter = make()
    told = []
    chosen = settings(steps=2, ensemble_size=3, zero_init=False, final_sigma=1e-6)
    result = sample(denoiser, tokens(), chosen, adapter=adapter, progress=lambda *row: told.append(row))
    assert [row[:2] for row in told] == [(step, 6) for step in range(1, 7)]
    torch.testing.assert_close(told[-1][2], result, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(told[1][2], result, atol=1e-2)


def test_cancelling_between_members():
    denoiser, _ = make()

    def check():
        if len(steps) == 5:
            raise Cancelled()

    steps = []
    with pytest.raises(Cancelled):
        chosen = settings(ensemble_size=2, zero_init=False)
        sample(denoiser, tokens(), chosen, progress=lambda *row: steps.append(row), check=check)
    assert len(steps) == 5  # the first step of the second member


def test_unordered_latents_cannot_be_averaged():
    denoiser, _ = make(slot_count=0)
    with pytest.raises(InputError, match="ensemble_size is 2, but the latents .* set ensemble_size to 1"):
        sample(denoiser, tokens(), settings(latent_count=6, ensemble_size=2))


def test_given_noises_must_be_as_many():
    denoiser, _ = make()
    start = draw((1, FRAMES, LATENTS, 4))
    with pytest.raises(InputError, match="1 start noises were given, but ensemble_size is 2"):
        sample(denoiser, tokens(), settings(ensemble_size=2), noise=start)
