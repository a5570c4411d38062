"""A node of the pack run by its name, a small clip, and what each node of the chain makes of it."""

from __future__ import annotations

import pytest
import torch

from tests.nodes.host_run import run_node

FRAMES, SIDE = 5, 48


@pytest.fixture(scope="session")
def run(nodes):
    """Run a node by its name."""
    return lambda name, **given: run_node(nodes[f"ShapeGen4D_{name}"], **given)


@pytest.fixture(scope="session")
def frames():
    """A white disc that wanders over a black ground: images [T,H,W,3] and its mask [T,H,W]."""
    grid = torch.arange(SIDE).float()
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    centres = SIDE / 2 + torch.linspace(-4, 4, FRAMES)
    mask = torch.stack([((x - c) ** 2 + (y - SIDE / 2) ** 2 < 100).float() for c in centres])
    shade = torch.linspace(0.4, 1.0, FRAMES)[:, None, None]
    return (mask * shade)[..., None].expand(-1, -1, -1, 3).clone(), mask


@pytest.fixture(scope="session")
def chain(run, frames):
    """What each node of the chain gives, run once."""
    images, mask = frames
    made = {"model": run("LoadShapeGen4DModel", model="zoo/random").result[0]}
    made["clip"] = run("LoadVideoFrames", **made, video=images, mask=mask, fps=10.0).result[0]
    made["tokens"] = run("EncodeDINO", **made).result[0]
    made["latents"] = run("Sample4DLatents", model=made["model"], tokens=made["tokens"], seed=1).result[0]
    decode = {"model": made["model"], "latents": made["latents"], "resolution": 16}
    made["meshes"] = run("DecodeSDFSequence", **decode).result[0]
    return made
