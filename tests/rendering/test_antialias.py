"""Pictures of attributes: outlines in front of other parts are soft too, hidden ones leave no trace."""

from __future__ import annotations

import torch

from shapegen4d_core.rendering import rasterise_views
from shapegen4d_core.rendering.antialias import antialias
from shapegen4d_core.rendering.differentiable import interpolate
from shapegen4d_core.rendering.edges import mesh_edges
from shapegen4d_core.rendering.raster import to_camera

SIZE, FINE = 24, 16
INTRINSICS = torch.tensor([[[30.0, 0, 12.1], [0, 30, 11.8], [0, 0, 1]]], dtype=torch.float64)
TURN, SHIFT = torch.eye(3, dtype=torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64)


def card(half: float, depth: float, turn: float) -> torch.Tensor:
    """Corners [4,3] of a square that faces the camera."""
    angles = turn + torch.pi * torch.tensor([0.25, 0.75, 1.25, 1.75], dtype=torch.float64)
    return torch.stack([half * angles.cos(), half * angles.sin(), torch.full_like(angles, depth)], dim=1)


def scene(hidden: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Vertices, faces and brightness: a card before a darker, larger one, and perhaps a third behind both."""
    cards = [card(0.5, 2.0, 0.3), card(1.2, 3.0, 0.1)] + ([card(0.9, 4.0, 0.7)] if hidden else [])
    square = torch.tensor([[0, 1, 2], [0, 2, 3]])
    faces = torch.cat([square + 4 * number for number in range(len(cards))])
    bright = torch.tensor([1.0, 0.4, 0.8], dtype=torch.float64)[: len(cards)].repeat_interleave(4)[:, None]
    return torch.cat(cards), faces, bright


def picture(vertices, faces, bright, factor: int = 1, soft: bool = True) -> torch.Tensor:
    """Brightness [H,W], with soft outlines or as the mean of ``factor`` x ``factor`` samples."""
    lens = INTRINSICS * torch.tensor([factor, factor, 1])[:, None]
    size = (SIZE * factor, SIZE * factor)
    raster = rasterise_views(vertices.detach(), faces, lens, TURN, SHIFT, size)
    in_camera = to_camera(vertices, TURN, SHIFT)
    shown = interpolate(bright, in_camera, faces, raster, lens)
    if soft:
        return antialias(shown, raster, in_camera, mesh_edges(faces), lens)[0, ..., 0]
    return shown[0, ..., 0].view(SIZE, factor, SIZE, factor).mean(dim=(1, 3))


def test_outlines_before_other_parts_are_soft():
    given = scene(hidden=False)
    true = picture(*given, FINE, soft=False)
    hard, soft = picture(*given, soft=False), picture(*given)
    assert float((hard - true).abs().mean()) > 4 * float((soft - true).abs().mean())
    inner = (true > 0.45) & (true < 0.95)  # the near card's outline, before the far card
    assert int(inner.sum()) > 20 and float((soft - true)[inner].abs().mean()) < 0.05


def test_what_is_hidden_leaves_no_trace():
    plain, more = picture(*scene(hidden=False)), picture(*scene(hidden=True))
    torch.testing.assert_close(plain, more)


def test_gradients_of_inner_outlines_follow_the_near_card():
    vertices, faces, bright = scene(hidden=True)
    step = torch.zeros_like(vertices)
    step[:4, 0] = 1e-3  # the near card moves to the right
    weights = torch.linspace(0, 1, SIZE, dtype=torch.float64)

    def area(vertices, factor, soft):
        return (picture(vertices, faces, bright, factor, soft) * weights).sum()

    moved = vertices.clone().requires_grad_()
    area(moved, 1, True).backward()
    expected = (area(vertices + 20 * step, FINE, False) - area(vertices - 20 * step, FINE, False)) / 40
    torch.testing.assert_close((moved.grad * step).sum(), expected, rtol=0.05, atol=0)
    assert float(moved.grad[8:].abs().max()) == 0
