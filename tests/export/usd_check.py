"""What is asked of every stage: the validators of OpenUSD, and the topology that they do not look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pxr", reason="OpenUSD is not installed; pip install usd-core")
from pxr import Usd, UsdGeom  # noqa: E402


def complaints(path: Path) -> list[str]:
    """What the validators of OpenUSD and our own check of the topology say about a file; nothing is best."""
    reason = "this release of OpenUSD has no validators in Python; pip install -U usd-core"
    UsdValidation = pytest.importorskip("pxr.UsdValidation", reason=reason)
    stage = Usd.Stage.Open(str(path))
    context = UsdValidation.ValidationContext(UsdValidation.ValidationRegistry().GetOrLoadAllValidators())
    found = [f"{error.GetName()}: {error.GetMessage()}" for error in context.Validate(stage)]
    return found + topology_faults(stage)


def topology_faults(stage: Usd.Stage) -> list[str]:
    """Faults of every mesh at every time code of the stage, and without a time."""
    times = [Usd.TimeCode.Default(), *np.arange(stage.GetStartTimeCode(), stage.GetEndTimeCode() + 1)]
    meshes = [UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    faults = [] if meshes else ["there is no mesh"]
    for mesh in meshes:
        for time in times:
            faults += [f"{mesh.GetPath()} at {time}: {fault}" for fault in _faults(mesh, time)]
    return faults


def _faults(mesh: UsdGeom.Mesh, time: float) -> list[str]:
    points, counts = np.array(mesh.GetPointsAttr().Get(time)), np.array(mesh.GetFaceVertexCountsAttr().Get(time))
    indices, faults = np.array(mesh.GetFaceVertexIndicesAttr().Get(time)), []
    if counts.sum() != len(indices):
        faults.append(f"counts add up to {counts.sum()}, but there are {len(indices)} indices")
    if len(indices) and (indices.min() < 0 or indices.max() >= len(points)):
        faults.append(f"indices span {indices.min()}..{indices.max()}, but there are {len(points)} points")
    if len(counts) and counts.min() < 3:
        faults.append(f"a face has {counts.min()} corners")
    if len(points):
        box = np.array(mesh.GetExtentAttr().Get(time))
        if not np.array_equal(box, [points.min(axis=0), points.max(axis=0)]):
            faults.append("the extent is not the box of the points")
    normals = mesh.GetNormalsAttr().Get(time)
    if normals is not None and len(normals) != len(points):
        faults.append(f"{len(normals)} normals for {len(points)} points")
    st = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st")
    if st and len(st.Get(time)) != len(points):
        faults.append(f"{len(st.Get(time))} texture coordinates for {len(points)} points")
    return faults
