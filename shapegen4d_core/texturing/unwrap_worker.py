"""Runs xatlas in a process of its own, so that it can be stopped: ``python unwrap_worker.py IN.npz OUT.npz``.

A script without the rest of the package, because it has to start quickly.
"""

from __future__ import annotations

import sys

import numpy as np
import xatlas


def main(source: str, target: str) -> None:
    """Unwrap the arrays of ``source`` (vertices, faces, resolution, padding) and write vertex, faces and uv."""
    with np.load(source, allow_pickle=False) as given:
        vertices, faces = given["vertices"], given["faces"]
        resolution, padding = int(given["resolution"]), int(given["padding"])
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices.astype(np.float32), faces.astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding = resolution, padding
    packing.bilinear = True
    atlas.generate(pack_options=packing)
    vertex, indices, uv = atlas[0]
    np.savez(target, vertex=vertex, faces=indices, uv=uv, charts=atlas.chart_count, pages=atlas.atlas_count)


if __name__ == "__main__":
    main(*sys.argv[1:])
