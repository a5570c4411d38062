"""The part of comfy_api.latest that the nodes use."""

from __future__ import annotations

from . import io
from .types import InputImpl, Types


class ComfyExtension:
    """Base of what comfy_entrypoint returns."""

    async def on_load(self) -> None:
        """Runs before the node list is asked for."""


__all__ = ["ComfyExtension", "InputImpl", "Types", "io"]
