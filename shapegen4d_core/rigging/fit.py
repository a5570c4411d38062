"""A sequence of one topology to a rig: smooth skinning decomposition with rigid bones (Le and Deng 2012).

Weights, rest places and motions are fitted in turn. The motions are found on a sample of the vertices, from several
beginnings; the whole mesh then takes few more rounds, because a vertex needs nothing but the motions.
"""

from __future__ import annotations

import time

import numpy as np

from ..errors import InputError
from ..geometry.coincident import coincident_vertices
from ..progress import Check, Progress
from ..sequence import MeshSequence
from .descent import Descent, Skin
from .moments import Frames, vertex_blocks
from .report import RigReport
from .rig import Rig, grained
from .settings import RigSettings
from .start import clustered_motions

SAMPLE = 2000  # vertices the motions are found on
_TRIAL, _FINISH = 3, 8  # rounds that judge a beginning, and of the whole mesh
_FEWEST, _GROWTH = 2, 1.3  # joints a search for the fewest begins with, and how it goes on


def fit_rig(
    sequence: MeshSequence,
    settings: RigSettings | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Rig:
    """Fit joints, weights and rest places whose skin comes near to every frame of ``sequence``.

    Vertices that coincide in all frames stay together. The same settings give the same rig. Raises InputError for a
    sequence without vertices, with fewer than two frames or with a topology that changes, and for a rest frame that is
    not there. What a skin cannot follow is not hidden: see ``report`` of the rig.
    """
    settings = settings or RigSettings()
    began = time.perf_counter()
    _check_sequence(sequence, settings)
    groups = coincident_vertices(sequence.vertices, check)
    _, first = np.unique(groups, return_index=True)
    low, high = sequence.bounds().astype(np.float64)
    centre, size = (low + high) / 2, float(np.linalg.norm(high - low)) or 1.0
    run = _Run(Frames(sequence.vertices, first, centre, size), settings, progress, check)
    skin = run.fitted()
    joints, weights, motions = _ordered(skin, settings.influences, check)
    rotations = motions[..., :3]
    translations = motions[..., 3] * size + centre - rotations @ centre
    rest = (skin.rest * size + centre).astype(np.float32)
    parts = (rest[groups], joints[groups], weights[groups], rotations, translations)
    report = _report(sequence, parts, settings, size, (run.steps, began), check)
    return Rig(*parts, report)


class _Run:
    """One call of :func:`fit_rig` on ``frames``: what was done, and what is left to report."""

    def __init__(
        self, frames: Frames, settings: RigSettings, progress: Progress | None, check: Check | None
    ) -> None:
        self.frames, self.settings, self._progress, self._check = frames, settings, progress, check
        self.random = np.random.default_rng(settings.seed)
        count = frames.vertex_count
        chosen = np.arange(count) if count <= SAMPLE else np.sort(self.random.choice(count, SAMPLE, replace=False))
        self.sample, self.whole = frames.only(chosen), count <= SAMPLE
        self.steps = self._done = 0
        self._counts = [settings.joints] if settings.error is None else _joint_counts(settings.joints)
        self._per_count = settings.tries * (_TRIAL + 1) + settings.iterations + (0 if self.whole else _FINISH)

    def fitted(self) -> Skin:
        """The skin of the fewest joints tried that meets the error asked for, of the most when none does."""
        for number, count in enumerate(self._counts):
            self._done = number * self._per_count
            skin, rms = self._with(count)
            if self.settings.error is None or 100 * rms <= self.settings.error:
                break
        self._tell(len(self._counts) * self._per_count)
        return skin

    def _with(self, joint_count: int) -> tuple[Skin, float]:
        """The best skin with that many joints, and its root mean square error, of the diagonal."""
        descent = self._descent(self.sample)
        tried = [self._tried(descent, joint_count) for _ in range(self.settings.tries)]
        skin = descent.run(min(tried, key=lambda skin: skin.error), self.settings.iterations, self._tick)
        self.steps += descent.steps
        rms, wanted = descent.rms(skin), self.settings.error
        if self.whole or (wanted is not None and 100 * rms > 1.5 * wanted and joint_count < self._counts[-1]):
            return skin, rms
        descent = self._descent(self.frames)
        skin = descent.run(descent.begin(self.frames[self.settings.frame], skin.motions), _FINISH, self._tick)
        self.steps += descent.steps
        return skin, descent.rms(skin)

    def _tried(self, descent: Descent, joint_count: int) -> Skin:
        rest = self.sample[self.settings.frame]
        motions = clustered_motions(self.sample, rest, joint_count, self.random, self._check)
        self._tick()
        return descent.run(descent.begin(rest, motions), _TRIAL, self._tick)

    def _descent(self, frames: Frames) -> Descent:
        return Descent(frames, self.settings.influences, self.settings.fit_rest, self._check)

    def _tick(self) -> None:
        self._done += 1
        self._tell(self._done)
        if self._check is not None:
            self._check()

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, len(self._counts) * self._per_count)


def _check_sequence(sequence: MeshSequence, settings: RigSettings) -> None:
    if not sequence.fixed_topology:
        raise InputError(
            f"A rig needs one topology, but that of {sequence.name!r} changes; track the sequence first, or write it "
            "without a rig."
        )
    if sequence.frame_count < 2 or not len(sequence.vertices[0]):
        raise InputError(
            f"A rig needs two frames or more with vertices, but {sequence.name!r} has {sequence.frame_count} of "
            f"{len(sequence.vertices[0])}; write it without a rig."
        )
    if settings.frame >= sequence.frame_count:
        raise InputError(
            f"Rig setting frame is {settings.frame}, but the sequence has frames 0..{sequence.frame_count - 1}."
        )


def _joint_counts(most: int) -> list[int]:
    counts, wanted = [], float(_FEWEST)
    while round(wanted) < most:
        counts.append(round(wanted))
        wanted = max(wanted * _GROWTH, wanted + 1)
    return [*counts, most]


def _ordered(
    skin: Skin, influences: int, check: Check | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints [V,K], weights [V,K] and motions [T,J,3,4] of the joints that are used, those that carry most first.

    Entries without weight name joint 0, as glTF 2.0 (3.7.3.3) wants it.
    """
    parts = [grained(skin.weights[rows], influences) for rows in vertex_blocks(len(skin.weights), check)]
    joints, weights = (np.concatenate(part) for part in zip(*parts))
    carried = np.bincount(joints.reshape(-1), weights.reshape(-1), skin.motions.shape[1])
    order = np.argsort(-carried, kind="stable")[: np.count_nonzero(carried)]
    number = np.zeros(skin.motions.shape[1], np.int32)
    number[order] = np.arange(len(order))
    return np.where(weights > 0, number[joints], 0).astype(np.int32), weights, skin.motions[:, order]


def _report(
    sequence: MeshSequence,
    parts: tuple,
    settings: RigSettings,
    size: float,
    work: tuple[int, float],
    check: Check | None,
) -> RigReport:
    """The errors of the rig as it will be written, by its own evaluation."""
    rig = Rig(*parts, report=None)
    means, most, where = [], [], []
    for frame, vertices in enumerate(sequence.vertices):
        if check is not None:
            check()
        off = 100 * np.linalg.norm(rig.vertices(frame) - vertices.astype(np.float64), axis=1) / size
        means.append(float((off**2).mean()))
        most.append(float(off.max()))
        where.append(int(off.argmax()))
    worst_frame = int(np.argmax(most))
    return RigReport(
        joints=rig.joint_count,
        joints_asked=settings.joints,
        influences=int((rig.weights > 0).sum(axis=1).max()),
        rms=float(np.sqrt(np.mean(means))),
        worst=most[worst_frame],
        worst_frame=worst_frame,
        worst_vertex=where[worst_frame],
        frame_rms=tuple(float(np.sqrt(mean)) for mean in means),
        frame_worst=tuple(most),
        iterations=work[0],
        seconds=time.perf_counter() - work[1],
        target=settings.error,
    )
