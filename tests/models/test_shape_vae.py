"""The shape autoencoder beyond the golden data: order of queries, one cloud, the fast field, precision."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import autocast

from shapegen4d_core.errors import InputError
from shapegen4d_core.geometry.sampling import farthest_point_sampling
from shapegen4d_core.models import Posterior, ShapeVAE, ShapeVAEConfig
from shapegen4d_core.models.vae_blocks import point_features, split_heads

CONFIG = ShapeVAEConfig(
    num_latents=6, embed_dim=4, num_freqs=3, width=24, heads=3, num_encoder_layers=1, num_decoder_layers=2,
    query_mlp_ratio=2,
)  # fmt: skip


def make(seed=0, **changes):
    torch.manual_seed(seed)
    return ShapeVAE(replace(CONFIG, **changes)).requires_grad_(False)


def cloud(seed, count=40, batch=2):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(batch, count, 6, generator=generator)
    return torch.cat([points[..., :3] * 0.4, torch.nn.functional.normalize(points[..., 3:], dim=-1)], dim=-1)


@pytest.fixture(scope="module")
def vae():
    return make()


@pytest.fixture(scope="module")
def clouds():
    return cloud(1), cloud(2)


def test_latents_follow_the_order_of_the_queries(vae, clouds):
    query, sharp = cloud(3, 5), cloud(4, 3)
    order = torch.tensor([3, 0, 4, 1, 2])
    latents = vae.encode(*clouds, query=query, sharp_query=sharp).mean
    moved = vae.encode(*clouds, query=query[:, order], sharp_query=sharp).mean
    torch.testing.assert_close(moved[:, :5], latents[:, order])
    torch.testing.assert_close(moved[:, 5:], latents[:, 5:])
    assert (moved[:, 0] - latents[:, 0]).abs().max() > 1e-3


def test_uniform_and_sharp_queries_use_their_own_projection_and_come_in_that_order(vae, clouds):
    query = cloud(3, 4)
    as_uniform = vae.encode(*clouds, query=query).mean
    as_sharp = vae.encode(*clouds, sharp_query=query).mean
    assert (as_uniform - as_sharp).abs().max() > 1e-3
    both = vae.encode(*clouds, query=query[:, :3], sharp_query=query[:, 3:]).mean
    swapped = vae.encode(*clouds, query=query[:, 3:], sharp_query=query[:, :3]).mean
    assert (both - swapped).abs().max() > 1e-3


def test_both_clouds_matter_and_their_own_order_does_not(vae, clouds):
    query = cloud(3, 4)
    uniform, sharp = clouds
    latents = vae.encode(uniform, sharp, query=query).mean
    shuffled = vae.encode(uniform.flip(1), sharp.flip(1), query=query).mean
    torch.testing.assert_close(shuffled, latents)
    for other in ((cloud(7), sharp), (uniform, cloud(7))):
        assert (vae.encode(*other, query=query).mean - latents).abs().max() > 1e-3


def test_without_queries_farthest_points_of_each_cloud_are_taken(vae, clouds):
    half = CONFIG.num_latents // 2
    rows = [farthest_point_sampling(points[..., :3], half) for points in clouds]
    explicit = vae.encode(*clouds, query_index=rows[0], sharp_query_index=rows[1]).mean
    assert torch.equal(vae.encode(*clouds).mean, explicit)
    first = torch.arange(half).expand(2, half)
    given = vae.encode(*clouds, query_index=first, sharp_query_index=first).mean
    assert (given - explicit).abs().max() > 1e-3
    assert vae.encode(*clouds, num_latents=10).mean.shape == (2, 10, CONFIG.embed_dim)


def test_one_cloud(clouds):
    single = make(with_sharp_data=False, num_latents=5)
    assert not [name for name in single.state_dict() if "sharp" in name]
    posterior = single.encode(clouds[0])
    assert posterior.mean.shape == (2, 5, CONFIG.embed_dim)
    index = farthest_point_sampling(clouds[0][..., :3], 5)
    assert torch.equal(single.encode(clouds[0], query_index=index).mean, posterior.mean)


@pytest.mark.parametrize("arguments, words", [
    ({"surface": cloud(1)}, "sharp-edge cloud"),
    ({"surface": cloud(1)[..., :3], "sharp_surface": cloud(2)}, r"surface must be \[B,P,6\]"),
    ({"surface": cloud(1), "sharp_surface": cloud(2), "num_latents": 5}, "num_latents is 5"),
    ({"surface": cloud(1), "sharp_surface": cloud(2), "num_latents": 90}, "45 of 40"),
    ({"surface": cloud(1), "sharp_surface": cloud(2), "query": cloud(3, 2),
      "query_index": torch.zeros(2, 2, dtype=torch.int64)}, "not both"),
])  # fmt: skip
def test_wrong_clouds_and_queries(vae, arguments, words):
    with pytest.raises(InputError, match=words):
        vae.encode(**arguments)


def test_one_cloud_refuses_sharp_input(clouds):
    single = make(with_sharp_data=False)
    with pytest.raises(InputError, match="one cloud only"):
        single.encode(*clouds)
    with pytest.raises(InputError, match="no sharp cloud"):
        single.encode(clouds[0], query=cloud(3, 2), sharp_query=cloud(3, 2))
    with pytest.raises(InputError, match=r"\[B,N,4\] latents"):
        single.decode(torch.zeros(1, 6, 5))


def test_fast_field_equals_the_plain_query_in_value_and_gradient(vae):
    features = vae.decode(torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(5)))
    points = cloud(6, 50)[..., :3].requires_grad_()
    plain = vae.query(features, points)
    field = vae.field(features)
    fast = torch.cat([field(points[:, :20]), field(points[:, 20:])], dim=1)
    torch.testing.assert_close(fast, plain, atol=2e-6, rtol=0)
    gradients = [torch.autograd.grad(value.square().sum(), points)[0] for value in (plain, fast)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=2e-5, rtol=1e-4)
    single = vae.field(features[:1])
    torch.testing.assert_close(single(points[0]), plain[0], atol=2e-6, rtol=0)
    with pytest.raises(InputError, match="2 items"):
        field(points[:1])


def test_features_are_a_set(vae):
    latents = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(5))
    points = cloud(6, 20, 1)[..., :3]
    expected = vae.query(vae.decode(latents), points)
    torch.testing.assert_close(vae.query(vae.decode(latents.flip(1)), points), expected, atol=2e-6, rtol=0)


def test_point_features_against_a_loop():
    points = cloud(1, 4, 1)[0, :, :3]
    for include_pi in (False, True):
        rows = []
        for point in points.double():
            angles = [x * 2**k * (torch.pi if include_pi else 1) for x in point for k in range(3)]
            rows.append(torch.stack([*point, *(a.sin() for a in angles), *(a.cos() for a in angles)]))
        expected = torch.stack(rows).float()
        torch.testing.assert_close(point_features(points, 3, include_pi), expected, atol=1e-6, rtol=0)
    assert point_features(points.half(), 3).dtype == torch.float32


def test_packing_keeps_the_channels_of_a_head_together():
    packed = torch.arange(12.0).view(1, 1, 12)  # 2 heads of 2 channels, q|k|v each
    q, k, v = split_heads(packed, 2, 3)
    assert q.flatten().tolist() == [0, 1, 6, 7]
    assert k.flatten().tolist() == [2, 3, 8, 9]
    assert v.flatten().tolist() == [4, 5, 10, 11]


def test_latent_scale_is_applied_after_encoding_and_taken_back_before_decoding(clouds):
    plain, scaled = make(), make(z_scale_factor=3.0)
    latents = plain.encode(*clouds).mode()
    torch.testing.assert_close(scaled.encode(*clouds).mode(), 3 * latents)
    torch.testing.assert_close(scaled.decode(3 * latents), plain.decode(latents))


def test_posterior_sampling():
    mean, logvar = torch.randn(2, 3, 4), torch.full((2, 3, 4), -2.0)
    posterior = Posterior(mean, logvar, scale=2.0)
    draws = [posterior.sample(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    shared = torch.randn(1, 3, 4)
    expected = (mean + torch.tensor(-1.0).exp() * shared) * 2.0
    torch.testing.assert_close(posterior.sample(noise=shared), expected)
    assert torch.equal(posterior.mode(), mean * 2)
    many = Posterior(torch.zeros(1, 1, 20000), torch.full((1, 1, 20000), -2.0))
    spread = many.sample(torch.Generator().manual_seed(0)).std().item()
    assert spread == pytest.approx(torch.tensor(-1.0).exp().item(), rel=0.03)


def test_posterior_moments_and_divergence():
    moments = torch.tensor([[[1.0, 0.0, 50.0, -90.0]]])
    posterior = Posterior.from_moments(moments)
    assert posterior.mean.tolist() == [[[1.0, 0.0]]] and posterior.logvar.tolist() == [[[20.0, -30.0]]]
    gaussian = torch.distributions.Normal(torch.tensor([0.3, -1.0]), torch.tensor([0.5, 2.0]))
    unit = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    expected = torch.distributions.kl_divergence(gaussian, unit).mean()
    result = Posterior(gaussian.mean[None, None], gaussian.variance.log()[None, None]).kl()
    torch.testing.assert_close(result, expected[None])


def test_training_reaches_every_weight(clouds):
    trained = make().requires_grad_(True)
    posterior = trained.encode(*clouds)
    features = trained.decode(posterior.sample(torch.Generator().manual_seed(0)))
    loss = trained.query(features, clouds[0][..., :3]).square().mean() + posterior.kl().mean()
    loss.backward()
    without = [name for name, p in trained.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_reduced_precision_inputs_and_autocast(clouds):
    half = make().to(torch.bfloat16)
    features = half.decode(half.encode(*clouds).mode())
    assert features.dtype == torch.bfloat16
    assert half.query(features, clouds[0][..., :3]).dtype == torch.float32
    full = make()
    latents = full.encode(*clouds).mode()
    expected = full.query(full.decode(latents), clouds[0][..., :3])
    with autocast("cpu", dtype=torch.bfloat16):
        mixed = full.query(full.decode(latents), clouds[0][..., :3])
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, expected, atol=0.05, rtol=0)


def test_host_may_set_the_dtype_of_computation(clouds):
    class Casting(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, self.weight.to(x), self.bias if self.bias is None else self.bias.to(x))

    class CastingNorm(torch.nn.LayerNorm):
        def forward(self, x):
            return torch.nn.functional.layer_norm(
                x, self.normalized_shape, self.weight.to(x), self.bias.to(x), self.eps
            )

    ops = type("Ops", (), {"Linear": Casting, "LayerNorm": CastingNorm})
    stored = ShapeVAE(CONFIG, ops=ops, dtype=torch.float16).requires_grad_(False)
    stored.load_state_dict(make().state_dict())
    stored.compute_dtype = torch.float32
    result = stored.decode(make().encode(*clouds).mode())
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, make().decode(make().encode(*clouds).mode()), atol=5e-3, rtol=0)
