"""ShapeGen4D as a ComfyUI node pack: a video of one object becomes an animated mesh."""

from __future__ import annotations

WEB_DIRECTORY = "./nodes/web"
__all__ = ["WEB_DIRECTORY"]

if __package__:  # test collectors import this file outside a package
    from .nodes import comfy_entrypoint

    __all__ += ["comfy_entrypoint"]  # noqa: PLE0604
