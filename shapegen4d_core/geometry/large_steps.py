"""Large steps: gradient descent on meshes that stays smooth at any step size (Nicolet, Jacobson and Jakob 2021).

Instead of the vertices x one optimises u = (I + lambda L) x with a Laplacian L, and an Adam whose second moment is
one number, so that steps keep the direction the solve has smoothed.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array, eye_array
from torch import Tensor

from .linear_solver import Factored


def preconditioner(laplacian: csr_array, strength: float) -> csr_array:
    """I + ``strength`` L for a Laplacian [V,V] (lambda in the paper, 19 to 99 for a few thousand vertices)."""
    return (eye_array(laplacian.shape[0]) + strength * laplacian).tocsr()


class LargeSteps:
    """The change of variables of one matrix I + lambda L [V,V], on the CPU, differentiable in u."""

    def __init__(self, matrix: csr_array, backend: str = "auto") -> None:
        self.matrix = matrix
        self._factored = Factored(matrix.tocsc(), backend)

    def to_parameters(self, vertices: Tensor) -> Tensor:
        """u [V,3] of vertices [V,3], a leaf that can be optimised."""
        values = self.matrix @ vertices.detach().cpu().double().numpy()
        return torch.from_numpy(values).to(vertices).requires_grad_()

    def to_vertices(self, parameters: Tensor) -> Tensor:
        """Vertices [V,3] of u [V,3]; gradients flow back through the same solve."""
        return _Solve.apply(parameters, self._factored)


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(context, parameters: Tensor, factored: Factored) -> Tensor:
        context.factored = factored
        return _solved(parameters, factored)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        return _solved(gradient, context.factored), None  # the matrix is symmetric


def _solved(values: Tensor, factored: Factored) -> Tensor:
    return torch.from_numpy(np.asarray(factored.solve(values.detach().cpu().numpy()))).to(values)


class AdamUniform(torch.optim.Optimizer):
    """Adam whose second moment is its largest entry over each tensor, so that a step has the gradient's direction."""

    def __init__(self, parameters, lr: float = 0.1, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """One step of every parameter that has a gradient."""
        for group in self.param_groups:
            for value in group["params"]:
                if value.grad is not None:
                    self._move(value, group)

    def _move(self, value: Tensor, group: dict) -> None:
        state, (decay, slow) = self.state[value], group["betas"]
        if not state:
            state.update(steps=0, first=torch.zeros_like(value), second=torch.zeros_like(value))
        state["steps"] += 1
        state["first"].mul_(decay).add_(value.grad, alpha=1 - decay)
        state["second"].mul_(slow).addcmul_(value.grad, value.grad, value=1 - slow)
        first = state["first"] / (1 - decay ** state["steps"])
        second = state["second"].max() / (1 - slow ** state["steps"])
        value.sub_(group["lr"] * first / (second.sqrt() + group["eps"]))
