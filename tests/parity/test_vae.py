"""The shape autoencoder against golden/vae (see the README of the reference data for each tensor)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from shapegen4d_core.models import load_vae
from shapegen4d_core.models.vae_blocks import point_features

POINTWISE = 1e-5  # point_embed, token_*, latents, sdf
HIDDEN = 2e-5


@pytest.fixture(scope="module")
def case(golden):
    data = golden("vae")
    with torch.no_grad():
        vae = load_vae(data.folder / "weights.safetensors")
        posterior = vae.encode(
            data.io["surface"],
            data.io["sharp_surface"],
            query_index=data.io["query_index_uniform"],
            sharp_query_index=data.io["query_index_sharp"],
        )
        yield SimpleNamespace(vae=vae, io=data.io, posterior=posterior)


def rows(cloud, index):
    return torch.stack([points[chosen] for points, chosen in zip(cloud, index)])


def test_point_features(case, close):
    expected = case.io["point_embed"]
    points = case.io["surface"][:, : expected.shape[1], :3]
    config = case.vae.config
    close(point_features(points, config.num_freqs, config.include_pi), expected, POINTWISE)


@pytest.mark.parametrize("kind", ["uniform", "sharp"])
def test_point_tokens(case, close, kind):
    expected = case.io[f"token_{kind}"]
    cloud = case.io["surface" if kind == "uniform" else "sharp_surface"]
    close(case.vae.encoder.tokens(cloud[:, : expected.shape[1]], sharp=kind == "sharp"), expected, POINTWISE)


def test_encoder_stages(case, close):
    encoder, io = case.vae.encoder, case.io
    clouds = (encoder.tokens(io["surface"]), encoder.tokens(io["sharp_surface"], sharp=True))
    indices = (io["query_index_uniform"], io["query_index_sharp"])
    queries = torch.cat([rows(cloud, index) for cloud, index in zip(clouds, indices)], dim=1)
    close(encoder.gather(queries, *clouds), io["encoder_cross"], HIDDEN)
    encoded = encoder(queries, *clouds)
    close(encoded, io["encoder_out"], HIDDEN)
    close(case.vae.pre_kl(encoded), io["moments"], HIDDEN)


def test_posterior(case, close):
    close(case.posterior.mean, case.io["latent_mean"], POINTWISE)
    close(case.posterior.logvar, case.io["latent_logvar"], POINTWISE)
    close(case.posterior.mode(), case.io["latents"], POINTWISE)


def test_latents_do_not_depend_on_how_queries_are_given(case):
    io = case.io
    query = rows(io["surface"], io["query_index_uniform"])
    sharp_query = rows(io["sharp_surface"], io["query_index_sharp"])
    given = case.vae.encode(io["surface"], io["sharp_surface"], query=query, sharp_query=sharp_query)
    assert torch.equal(given.mean, case.posterior.mean)


@pytest.mark.parametrize("latents, features, field", [
    ("latents", "decoded", "sdf"),
    ("random_latents", "decoded_random", "sdf_random"),
])  # fmt: skip
def test_decoder_and_field(case, close, latents, features, field):
    decoded = case.vae.decode(case.io[latents])
    close(decoded, case.io[features], HIDDEN)
    points, expected = case.io["query_points"], case.io[field].squeeze(-1)
    close(case.vae.query(case.io[features], points), expected, POINTWISE)
    close(case.vae.field(decoded)(points), expected, POINTWISE)


def test_post_kl(case, close):
    close(case.vae.post_kl(case.io["latents"] / case.vae.config.z_scale_factor), case.io["post_kl"], HIDDEN)


@pytest.mark.parametrize("kind", ["uniform", "mixed"])
def test_external_queries(case, close, kind):
    points = case.io["ext_points"]
    cut = points.shape[1] if kind == "uniform" else points.shape[1] // 2
    sharp = points[:, cut:] if cut < points.shape[1] else None
    posterior = case.vae.encode(case.io["surface"], case.io["sharp_surface"], query=points[:, :cut], sharp_query=sharp)
    close(posterior.mean, case.io[f"ext_{kind}_latent_mean"], POINTWISE)
    close(case.vae.decode(posterior.mode()), case.io[f"ext_{kind}_decoded"], HIDDEN)
