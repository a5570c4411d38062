"""How a rig is fitted: one frozen dataclass, checked when made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..setting_checks import check_between, check_whole

MOST_JOINTS, MOST_INFLUENCES = 255, 8


@dataclass(frozen=True)
class RigSettings:
    """Settings of :func:`shapegen4d_core.rigging.fit_rig`.

    joints: how many joints, 1 to 255; fewer are used where no more are needed.
    influences: most joints that move one vertex, 1 to 8; many viewers read 4.
    error: root mean square error in percent of the diagonal of the sequence's box. When given, joints are added, up to
        ``joints``, until it is met; None fits ``joints`` at once.
    iterations: most rounds of weights, rest places and motions, 1 or more.
    tries: different beginnings, of which the most promising is followed.
    frame: the frame, from 0, that the rest pose starts from.
    fit_rest: move the vertices of the rest pose where that helps; off keeps them exactly as in ``frame``.
    seed: start of the random numbers of the beginnings.
    """

    joints: int = 24
    influences: int = 4
    error: float | None = None
    iterations: int = 40
    tries: int = 4
    frame: int = 0
    fit_rest: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("Rig setting joints", self.joints, 1, MOST_JOINTS)
        check_whole("Rig setting influences", self.influences, 1, MOST_INFLUENCES)
        if self.error is not None:
            check_between("Rig setting error", self.error, 1e-4, 100, " percent")
        for name in ("iterations", "tries"):
            check_whole(f"Rig setting {name}", getattr(self, name), 1)
        for name in ("frame", "seed"):
            check_whole(f"Rig setting {name}", getattr(self, name), 0)
        if not isinstance(self.fit_rest, bool):
            raise InputError(f"Rig setting fit_rest is {self.fit_rest!r}; accepted are True and False.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return dataclasses.asdict(self)
