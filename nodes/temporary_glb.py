"""An animated GLB in the host's temporary folder, for its viewers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comfy_api.latest import Types


def write(meshes: Any, name: str, **options: Any) -> Any:
    """Write the sequence to a file of its own that begins with ``name``; ``options`` are those of ``write_sequence``.

    The host empties the folder when it starts. Raises InputError.
    """
    import folder_paths

    from ..shapegen4d_core.export import write_sequence

    folder, name, counter, *_ = folder_paths.get_save_image_path(name, folder_paths.get_temp_directory())
    path = Path(folder) / f"{name}_{counter:05}_.glb"
    write_sequence(meshes, path, **options)
    return Types.File3D(str(path), "glb")
