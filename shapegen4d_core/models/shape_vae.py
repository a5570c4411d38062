"""Shape autoencoder: point clouds -> latent set -> features -> truncated signed distance (spec section 2).

B items, P points, Q query points, N latents, C latent channels, W width. Positions in half boxes, unit
normals. Field values are positive inside, in units of the truncation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..geometry.sampling import farthest_point_sampling
from .config import ShapeVAEConfig
from .posterior import Posterior
from .tensor_ops import plain_arithmetic
from .vae_blocks import NORM_EPS, CrossBlock, SelfStack, point_features


class ShapeEncoder(nn.Module):
    """Query points gather from the clouds, then mix: spec 2.3 and 2.4."""

    def __init__(self, config: ShapeVAEConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.config = config
        width, heads, bias = config.width, config.heads, config.qkv_bias
        point_width = config.embed_width + config.point_feats
        self.input_proj = ops.Linear(point_width, width, **place)
        self.cross_attn = CrossBlock(width, heads, bias, config.mlp_ratio, ops, place)
        if config.with_sharp_data:
            self.input_proj_sharp = ops.Linear(point_width, width, **place)
            self.cross_attn_sharp = CrossBlock(width, heads, bias, config.mlp_ratio, ops, place)
        self.self_attn = SelfStack(
            config.num_encoder_layers, width, heads, bias, config.mlp_ratio, ops, place
        )
        self.ln_post = ops.LayerNorm(width, eps=NORM_EPS, **place)

    def tokens(self, points: Tensor, sharp: bool = False, dtype: torch.dtype | None = None) -> Tensor:
        """Point tokens of one cloud: [B,P,6] -> [B,P,W], by the projection of that cloud."""
        features = point_features(points[..., :3], self.config.num_freqs, self.config.include_pi)
        features = torch.cat([features, points[..., 3:].float()], dim=-1)
        projection = self.input_proj_sharp if sharp else self.input_proj
        return projection(features.to(dtype or projection.weight.dtype))

    def gather(self, queries: Tensor, tokens: Tensor, sharp_tokens: Tensor | None) -> Tensor:
        """Query tokens [B,Q,W] after the cross attention on each cloud, summed."""
        gathered = self.cross_attn(queries, tokens)
        return gathered if sharp_tokens is None else gathered + self.cross_attn_sharp(queries, sharp_tokens)

    def forward(self, queries: Tensor, tokens: Tensor, sharp_tokens: Tensor | None) -> Tensor:
        return self.ln_post(self.self_attn(self.gather(queries, tokens, sharp_tokens)))


class FieldHead(nn.Module):
    """Positions and features to field values. Its own projections and norm stay in float32 (spec 2.6)."""

    def __init__(self, config: ShapeVAEConfig, ops: Any, place: dict[str, Any]):
        super().__init__()
        self.config = config
        exact = {**place, "dtype": torch.float32}
        self.query_proj = ops.Linear(config.embed_width, config.width, **exact)
        self.cross_attn_decoder = CrossBlock(
            config.width, config.heads, config.qkv_bias, config.query_mlp_ratio, ops, place
        )
        self.ln_post = ops.LayerNorm(config.width, eps=NORM_EPS, **exact)
        self.output_proj = ops.Linear(config.width, 1, **exact)

    def embed(self, points: Tensor) -> Tensor:
        """Positions [B,P,3] -> query tokens [B,P,W] in the dtype of the projection."""
        with plain_arithmetic(points.device):
            features = point_features(points, self.config.num_freqs, self.config.include_pi)
            return self.query_proj(features.to(self.query_proj.weight.dtype))

    def read(self, tokens: Tensor) -> Tensor:
        """Tokens [B,P,W] after the cross block -> field values [B,P] float32."""
        with plain_arithmetic(tokens.device):
            normed = self.ln_post(tokens.to(self.ln_post.weight.dtype))
            return self.output_proj(normed).squeeze(-1).float()

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        tokens = self.cross_attn_decoder(self.embed(points).to(features.dtype), features)
        return self.read(tokens)


class FieldDecoder:
    """The field of given features as a callable: keys and values are computed once, here.

    Called with points [B,P,3] float32 it returns [B,P] float32; [P,3] is accepted for a single item (-> [P]).
    """

    def __init__(self, head: FieldHead, features: Tensor):
        self.head = head
        self.dtype = features.dtype
        self.keys, self.values = head.cross_attn_decoder.keys_values(features)

    def __call__(self, points: Tensor) -> Tensor:
        if points.ndim == 2:
            return self(points.unsqueeze(0)).squeeze(0)
        if points.shape[0] != self.keys.shape[0]:
            raise InputError(
                f"The field holds {self.keys.shape[0]} items but the points are {list(points.shape)}; "
                "give points [B,P,3] with one item each."
            )
        tokens = self.head.embed(points).to(self.dtype)
        return self.head.read(self.head.cross_attn_decoder.attend(tokens, self.keys, self.values))


class ShapeVAE(nn.Module):
    """The shape autoencoder; parameter names are those of the published file.

    ``compute_dtype`` may be set by a host whose ``ops`` cast weights to the dtype of their input; otherwise
    inputs are cast to the dtype of the weights.
    """

    def __init__(
        self, config: ShapeVAEConfig, ops: Any = nn, dtype: torch.dtype | None = None, device: Any = None
    ):
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None
        place = {"dtype": dtype, "device": device}
        self.encoder = ShapeEncoder(config, ops, place)
        self.pre_kl = ops.Linear(config.width, 2 * config.embed_dim, **place)
        self.post_kl = ops.Linear(config.embed_dim, config.width, **place)
        self.transformer = SelfStack(
            config.num_decoder_layers,
            config.width,
            config.heads,
            config.qkv_bias,
            config.mlp_ratio,
            ops,
            place,
        )
        self.decoder = FieldHead(config, ops, place)

    def encode(
        self,
        surface: Tensor,
        sharp_surface: Tensor | None = None,
        query: Tensor | None = None,
        sharp_query: Tensor | None = None,
        query_index: Tensor | None = None,
        sharp_query_index: Tensor | None = None,
        num_latents: int | None = None,
    ) -> Posterior:
        """Posterior over latents [B,N,C] of the shapes sampled by ``surface`` [B,P,6] (xyz, unit normal).

        sharp_surface: [B,P',6], the cloud on sharp edges, given exactly when the model has two clouds.
        query, sharp_query: [B,Q,6] points (temporally aligned ones, for instance) tokenised by the projection
        of either cloud; or query_index, sharp_query_index: [B,Q] rows of the clouds. Latents keep that order,
        uniform ones first. With none of the four, farthest point sampling picks ``num_latents`` (default: the
        configuration's), half of them from each cloud. Raises InputError for shapes that do not fit.
        """
        self._check_clouds(surface, sharp_surface)
        dtype = self.compute_dtype or self.pre_kl.weight.dtype
        if all(given is None for given in (query, sharp_query, query_index, sharp_query_index)):
            count = num_latents or self.config.num_latents
            query, sharp_query = self._farthest(surface, sharp_surface, count)
        else:
            query = _pick(surface, query, query_index, "query")
            sharp_query = _pick(sharp_surface, sharp_query, sharp_query_index, "sharp_query")
        encoder = self.encoder
        parts = [] if query is None else [encoder.tokens(query, dtype=dtype)]
        parts += [] if sharp_query is None else [encoder.tokens(sharp_query, sharp=True, dtype=dtype)]
        tokens = encoder.tokens(surface, dtype=dtype)
        sharp_tokens = None
        if sharp_surface is not None:
            sharp_tokens = encoder.tokens(sharp_surface, sharp=True, dtype=dtype)
        encoded = encoder(torch.cat(parts, dim=1), tokens, sharp_tokens)
        return Posterior.from_moments(self.pre_kl(encoded).float(), self.config.z_scale_factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B,N,C] -> features [B,N,W] that the field is read from."""
        if latents.ndim != 3 or latents.shape[-1] != self.config.embed_dim:
            raise InputError(
                f"The shape decoder takes [B,N,{self.config.embed_dim}] latents, not {list(latents.shape)}."
            )
        dtype = self.compute_dtype or self.post_kl.weight.dtype
        return self.transformer(self.post_kl((latents / self.config.z_scale_factor).to(dtype)))

    def field(self, features: Tensor) -> FieldDecoder:
        """The field of features [B,N,W] as a callable of points, for many evaluations."""
        return FieldDecoder(self.decoder, features)

    def query(self, features: Tensor, points: Tensor) -> Tensor:
        """Field values [B,P] float32 at points [B,P,3]; the plain reference of :meth:`field`."""
        return self.decoder(points, features)

    def _check_clouds(self, surface: Tensor, sharp_surface: Tensor | None) -> None:
        if (sharp_surface is not None) != self.config.with_sharp_data:
            wanted = "a sharp-edge cloud as well" if self.config.with_sharp_data else "one cloud only"
            raise InputError(
                f"This shape encoder takes {wanted}: with_sharp_data is {self.config.with_sharp_data}."
            )
        for name, cloud in (("surface", surface), ("sharp_surface", sharp_surface)):
            channels = 3 + self.config.point_feats
            if cloud is not None and (cloud.ndim != 3 or cloud.shape[-1] != channels):
                raise InputError(f"{name} must be [B,P,{channels}] (xyz, normal); it is {list(cloud.shape)}.")

    def _farthest(self, surface: Tensor, sharp: Tensor | None, count: int) -> tuple[Tensor, Tensor | None]:
        """Query points spread over each cloud, the first row of the cloud being the first of them."""
        if sharp is None:
            return _rows(surface, farthest_point_sampling(surface[..., :3], count)), None
        if count % 2:
            raise InputError(f"num_latents is {count}; with_sharp_data needs an even number.")
        clouds = (surface, sharp)
        return tuple(_rows(c, farthest_point_sampling(c[..., :3], count // 2)) for c in clouds)


def _rows(cloud: Tensor, index: Tensor) -> Tensor:
    """Rows [B,Q,6] of a cloud [B,P,6] at index [B,Q]."""
    return cloud.gather(1, index.unsqueeze(-1).expand(-1, -1, cloud.shape[-1]))


def _pick(cloud: Tensor | None, points: Tensor | None, index: Tensor | None, name: str) -> Tensor | None:
    """The query points of one cloud: given ones, or rows of the cloud, or none."""
    if points is not None and index is not None:
        raise InputError(f"Give {name} points or {name}_index rows, not both.")
    if (points is not None or index is not None) and cloud is None:
        raise InputError(f"{name} was given, but this shape encoder has no sharp cloud.")
    return points if index is None else _rows(cloud, index)
