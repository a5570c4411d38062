"""A sequence to a skinned GLB in one step: the rig is fitted, then written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..progress import Check, Progress
from ..sequence import MeshSequence

if TYPE_CHECKING:
    from ..rigging import RigSettings


def write_rigged_glb(
    sequence: MeshSequence,
    path: str | os.PathLike,
    *,
    rig: RigSettings,
    progress: Progress | None = None,
    check: Check | None = None,
    **options: Any,
) -> Path:
    """Fit joints to a sequence of fixed topology and write them as a skinned GLB; ``options`` as for its writer.

    Raises InputError as :func:`..rigging.fit_rig` and :func:`.glb_skin.write_skinned_glb`.
    """
    from ..rigging import fit_rig
    from .glb_skin import write_skinned_glb

    fitted = fit_rig(sequence, rig, progress=progress, check=check)
    return write_skinned_glb(sequence, fitted, path, **options, check=check)
