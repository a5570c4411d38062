"""A sequence to a skinned GLB in one step: the rig is fitted where none is given, then written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..progress import Check, Progress
from ..sequence import MeshSequence

if TYPE_CHECKING:
    from ..rigging import Rig, RigSettings


def write_rigged_glb(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    rig: RigSettings | Rig,
    progress: Progress | None = None,
    check: Check | None = None,
    **options: Any,
) -> Path:
    """Write a sequence of fixed topology as a skinned GLB, with a rig fitted before or by the settings given.

    ``options`` are those of :func:`.glb_skin.write_skinned_glb`. Raises InputError as that and
    :func:`..rigging.fit_rig`.
    """
    from ..rigging import RigSettings, fit_rig
    from .glb_skin import write_skinned_glb

    fit_hooks = {"progress": progress, "check": check}
    fitted = fit_rig(sequence, rig, **fit_hooks) if isinstance(rig, RigSettings) else rig
    return write_skinned_glb(sequence, fitted, path, **options, check=check)
