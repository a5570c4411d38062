"""A chain of quick nodes, and behind it one node at a time with so much to do that it can be caught in the act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.host.workflows import example_meshes, ours, shown

PANDA = Path(__file__).resolve().parents[1] / "data" / "animated" / "panda_walk.glb"
MANY = 100
PICTURES = {"side": 1024, "count": 24}
BONES = {"joints": 48, "largest_error": 0.0, "interpolation": "auto", "unlit": False, "texture_format": "png"}


def film(path: Path, frames: int, side: int = 64) -> Path:
    """A video of a white disc that wanders over black."""
    y, x = np.mgrid[:side, :side] / side
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            centre = 0.5 + 0.2 * np.sin(number / 20)
            disc = (np.hypot(x - centre, y - 0.5) < 0.22) * np.uint8(255)
            frame = av.VideoFrame.from_ndarray(np.repeat(disc[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def chain(nodes: dict[str, Any], long_film: str) -> dict[str, Any]:
    """From the example clip to tracked meshes, on little; ``long_film`` is a file of the input folder."""
    return {
        **example_meshes(nodes, {"count": 4}, steps=4, resolution=32),
        "posed": ours(nodes, "RegisterPose", meshes=["meshes", 0], clip=["clip", 0], views=16, rivals=1),
        "tracked": ours(nodes, "TrackTopology", meshes=["posed", 0], faces=400, iterations=2, coarse_iterations=2,
                        on_change="force"),
        "panda": ours(nodes, "LoadMeshSequence", file=f"3d/{PANDA.name}"),
        "film": {"class_type": "LoadVideo", "inputs": {"file": long_film}},
        "pictures": {"class_type": "NoiseImages", "inputs": PICTURES},
        "told": shown(["tracked", 1]),
        "walked": shown(["panda", 2]),
        "filmed": shown(["film", 0]),
        "drawn": shown(["pictures", 0]),
    }  # fmt: skip


def long_nodes(nodes: dict[str, Any], long_film: str) -> dict[str, dict[str, Any]]:
    """One node of each kind with seconds to do, behind the nodes of :func:`chain`."""
    model, clip = ["model", 0], ["clip", 0]
    bones = ours(nodes, "SaveMeshSequence", meshes=["panda", 0], format="glb with bones")
    bones["inputs"].update({f"format.{key}": value for key, value in BONES.items()})
    return {
        "LoadVideoFrames": ours(nodes, "LoadVideoFrames", model=model, video=["film", 0], count=MANY, size=1024),
        "Sample4DLatents": ours(nodes, "Sample4DLatents", model=model, tokens=["tokens", 0], steps=1000),
        "DecodeSDFSequence": ours(nodes, "DecodeSDFSequence", model=model, latents=["latents", 0], resolution=256),
        "RegisterPose": ours(nodes, "RegisterPose", meshes=["meshes", 0], clip=clip, search_fov=True),
        "TrackTopology": ours(nodes, "TrackTopology", meshes=["posed", 0], faces=4000, iterations=1000),
        "PropagateTexture": ours(nodes, "PropagateTexture", meshes=["tracked", 0], clip=clip, camera=["posed", 1],
                                 texture_size=2048),
        "RenderMeshSequence": ours(nodes, "RenderMeshSequence", meshes=["panda", 0], width=1024, height=1024),
        "LoadMeshSequence": ours(nodes, "LoadMeshSequence", file=f"3d/{PANDA.name}", fps=1000.0),
        "SaveMeshSequence": bones,
        "SaveAnimation": ours(nodes, "SaveAnimation", images=["pictures", 0], format="webp"),
    }  # fmt: skip
