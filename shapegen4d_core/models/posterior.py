"""The Gaussian the shape encoder answers with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LOGVAR_RANGE = (-30.0, 20.0)


@dataclass(frozen=True)
class Posterior:
    """Independent Gaussians per latent channel (spec 2.5): ``mean`` and ``logvar`` [B,N,C].

    Latents are the drawn values times ``scale`` (the configuration's z_scale_factor).
    """

    mean: Tensor
    logvar: Tensor
    scale: float = 1.0

    @classmethod
    def from_moments(cls, moments: Tensor, scale: float = 1.0) -> Posterior:
        """Split [B,N,2C] into mean and log-variance, the latter clamped to [-30, 20]."""
        mean, logvar = moments.chunk(2, dim=-1)
        return cls(mean, logvar.clamp(*LOGVAR_RANGE), scale)

    def mode(self) -> Tensor:
        """The most likely latents [B,N,C]."""
        return self.mean * self.scale

    def sample(self, generator: torch.Generator | None = None, noise: Tensor | None = None) -> Tensor:
        """Random latents [B,N,C], drawn on the generator's device (the CPU by default).

        ``noise``, unit normal and broadcastable, replaces the draw: [1,N,C] shares it over all frames.
        """
        if noise is None:
            device = "cpu" if generator is None else generator.device
            noise = torch.randn(self.mean.shape, generator=generator, device=device)
        noise = noise.to(self.mean)
        return (self.mean + torch.exp(0.5 * self.logvar) * noise) * self.scale

    def kl(self) -> Tensor:
        """Divergence from the unit Gaussian per item [B], averaged over tokens and channels (spec 2.7)."""
        per_channel = 0.5 * (self.mean.square() + self.logvar.exp() - 1.0 - self.logvar)
        return per_channel.mean(dim=(1, 2))
