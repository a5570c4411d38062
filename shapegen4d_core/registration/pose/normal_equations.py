"""Sums that a Gauss-Newton step needs, gathered frame by frame so that no Jacobian of a whole clip is kept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Equations:
    """``cost`` [N] (weighted squared residuals), ``gradient`` [N,K] and ``hessian`` [N,K,K] of N poses, float64."""

    cost: Tensor
    gradient: Tensor
    hessian: Tensor

    def __add__(self, other: Equations) -> Equations:
        return Equations(self.cost + other.cost, self.gradient + other.gradient, self.hessian + other.hessian)

    def scaled(self, factor: float | Tensor) -> Equations:
        """All sums times a number."""
        return Equations(self.cost * factor, self.gradient * factor, self.hessian * factor)


def equations(residual: Tensor, jacobian: Tensor) -> Equations:
    """From residuals [N,S] and Jacobians [N,K,S] (S samples)."""
    gradient = torch.einsum("nks,ns->nk", jacobian, residual)
    hessian = jacobian @ jacobian.transpose(1, 2)
    return Equations((residual**2).sum(dim=1).double(), gradient.double(), hessian.double())
