"""The sockets of this pack: matching is by string, so the names are permanent and carry the pack's prefix."""

from __future__ import annotations

from comfy_api.latest import io

Model = io.Custom("SHAPEGEN4D_MODEL")  # nodes.host.HostModel
Clip = io.Custom("SHAPEGEN4D_CLIP")  # shapegen4d_core.sequence.Clip
ImageTokens = io.Custom("SHAPEGEN4D_IMAGE_TOKENS")  # shapegen4d_core.sequence.ImageTokens
Latents = io.Custom("SHAPEGEN4D_LATENTS")  # shapegen4d_core.sequence.LatentSequence
MeshSequence = io.Custom("SHAPEGEN4D_MESH_SEQUENCE")  # shapegen4d_core.sequence.MeshSequence
Camera = io.Custom("SHAPEGEN4D_CAMERA")  # shapegen4d_core.sequence.Camera

CATEGORY = "3d/ShapeGen4D"


def frames_of_any_kind(name: str) -> io.MatchType.Template:
    """For sockets that take and give one of the kinds that have frames; sockets of one ``name`` have one kind."""
    return io.MatchType.Template(name, [MeshSequence, Clip, ImageTokens, Latents])
