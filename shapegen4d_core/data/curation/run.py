"""A folder of animated files to shards: finished and refused ones are left alone, so that a rerun resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...storage import atomic_path
from ..jobs import MADE, REJECTED, Job, Outcome, run_jobs
from ..shard_file import checked_split, is_finished, shard_path
from .asset import AssetJob, curate_file
from .report import KEPT, summary, table
from .settings import CurationSettings
from .sources import Rights, Source, digest, find_files, find_sources, read_rights
from .splits import HELD_OUT, TWICE, Shelf, allot, check_held_out, place_of

__all__ = ["BACKENDS", "KEPT", "Rights", "curate", "find_files", "read_rights", "summary", "table"]

BACKENDS = ("processes", "ray")


def curate(
    source: str | Path,
    data: str | Path,
    settings: CurationSettings,
    rights: Rights,
    split: str = "train",
    workers: int = 2,
    backend: str = "processes",
    retry: bool = False,
    held_out: float = 0.0,
) -> Iterator[Outcome]:
    """Make the missing shards of a folder and yield every asset's outcome, of those left alone at once.

    Refusals are remembered beside the shards until the file or the settings change, or ``retry`` asks for them.
    Errors are not: the next run tries again. Files that the data folder has already, and names that it has of other
    files, are refused without being remembered. ``held_out``: the share of assets that go to split "test", at least
    one of two that can be used. ``backend``: "processes", or "ray" for Ray Data. A JSON report
    ``DATA/<split>/curation.json`` is written at the end. Raises InputError.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend={backend!r} is unknown; use 'processes' or 'ray'")
    check_held_out(held_out, checked_split(split))
    work = _Work(Path(data), settings, rights, split, held_out, retry)
    yield from work.look(find_sources(source))
    if held_out:
        yield from work.make(HELD_OUT, _runner(backend), workers)
        while work.spare and not work.has(HELD_OUT):
            work.hold_out(work.spare.pop(0))
            yield from work.make(HELD_OUT, _runner(backend), workers)
    yield from work.make(split, _runner(backend), workers)
    work.report()


def _runner(backend: str) -> Any:
    if backend == "processes":
        return run_jobs
    from .ray_backend import run_on_ray

    return run_on_ray


@dataclass
class _Work:
    """What a run has to do and has done: the sources left to make and the outcomes, by split."""

    data: Path
    settings: CurationSettings
    rights: Rights
    split: str
    share: float
    retry: bool
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    spare: list[str] = field(default_factory=list)
    open: dict[str, list[Job]] = field(default_factory=dict)

    def look(self, sources: list[Source]) -> Iterator[Outcome]:
        """Sort the sources into splits and yield the outcomes of those with nothing to make."""
        self.outcomes = {self.split: []}
        shelf, first = Shelf(self.data), {}
        refused = {} if not self.share else {s.name: home for s in sources if (home := self._refused_in(s))}
        for source in sources:
            split = self._home(source.name, shelf) or refused.get(source.name) or self._by_share(source.name)
            objection = shelf.objection(source.name, source.sha256, split)
            if objection is None and first.setdefault(source.sha256, source.name) != source.name:
                objection = TWICE, f"the input holds it as {first[source.sha256]} as well"
            if objection is None:
                self.sources[source.name], self.splits[source.name] = source, split
            else:
                for name, _ in self._jobs(source, split):
                    yield self._note(split, Outcome(name, REJECTED, reason=objection[0], detail=objection[1]))
        if self.share:
            self._allot(shelf, refused)
        for name, source in self.sources.items():
            yield from self._left_alone(source, self.splits[name])

    def _allot(self, shelf: Shelf, refused: Mapping[str, str]) -> None:
        bound = {name: home for name in self.sources if (home := self._home(name, shelf))}
        names = [name for name in self.sources if name in bound or name not in refused]
        splits, self.spare = allot(names, self.share, bound, shelf.filled)
        self.splits |= splits

    def _home(self, name: str, shelf: Shelf) -> str | None:
        """The split that an asset has to be in: the one asked for, or with a share the one it was made in."""
        return shelf.home(name) if self.share else self.split

    def _by_share(self, name: str) -> str:
        return HELD_OUT if place_of(name) < self.share else self.split

    def _refused_in(self, source: Source) -> str | None:
        for split in (HELD_OUT, self.split):
            if any(_refusal_path(job).exists() for _, job in self._jobs(source, split)):
                return split
        return None

    def _jobs(self, source: Source, split: str) -> list[Job]:
        """The shards of one source by name: one, or one per view when ``settings.frame`` is "view"."""
        jobs = []
        for view in [None] if self.settings.frame == "canonical" else range(self.settings.views):
            name = source.name if view is None else f"{source.name}-v{view}"
            target = str(shard_path(self.data, split, name))
            rights = self.rights.of(source.shown)
            jobs.append((name, AssetJob(str(source.path), source.shown, target, view, self.settings, **rights)))
        return jobs

    def _left_alone(self, source: Source, split: str) -> Iterator[Outcome]:
        self.open[source.name] = []
        for name, job in self._jobs(source, split):
            rights = {"licence": job.licence, "attribution": job.attribution}
            if is_finished(job.target, asdict(self.settings), **rights):
                yield self._note(split, Outcome(name, KEPT, job.target))
            elif not self.retry and (refusal := _remembered(name, job)) is not None:
                yield self._note(split, refusal)
            else:
                self.open[source.name].append((name, job))

    def hold_out(self, name: str) -> None:
        """Move a source of which nothing is made yet to the held-out split."""
        self.splits[name], self.open[name] = HELD_OUT, self._jobs(self.sources[name], HELD_OUT)

    def has(self, split: str) -> bool:
        """Whether a shard of this run's sources is in a split."""
        return any(outcome.state in (MADE, KEPT) for outcome in self.outcomes.get(split, ()))

    def make(self, split: str, runner: Any, workers: int) -> Iterator[Outcome]:
        """Make what is left of a split and yield the outcomes as they come."""
        names = [name for name in self.open if self.splits[name] == split]
        jobs = dict(job for name in names for job in self.open.pop(name))
        if jobs:
            (self.data / split).mkdir(parents=True, exist_ok=True)
        for outcome in runner(curate_file, list(jobs.items()), workers):
            _remember(jobs[outcome.name], outcome)
            yield self._note(split, outcome)

    def _note(self, split: str, outcome: Outcome) -> Outcome:
        self.outcomes.setdefault(split, []).append(outcome)
        return outcome

    def report(self) -> None:
        """Write the report of every split that was worked on."""
        for split, outcomes in self.outcomes.items():
            (self.data / split).mkdir(parents=True, exist_ok=True)
            _write(self.data / split / "curation.json", summary(outcomes, self.settings))


def _refusal_path(job: AssetJob) -> Path:
    return Path(job.target.removesuffix(".safetensors") + ".rejected.json")


def _signature(job: AssetJob) -> dict[str, Any]:
    return {"sha256": digest(job.source), "settings": json.loads(json.dumps(asdict(job.settings)))}


def _remembered(name: str, job: AssetJob) -> Outcome | None:
    """An earlier refusal of the same file under the same settings."""
    path = _refusal_path(job)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if {key: found[key] for key in ("sha256", "settings")} != _signature(job):
            return None
        return Outcome(name, REJECTED, reason=str(found["reason"]), detail=str(found["detail"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(job: AssetJob, outcome: Outcome) -> None:
    path = _refusal_path(job)
    if outcome.state == REJECTED:
        _write(path, {"reason": outcome.reason, "detail": outcome.detail, **_signature(job)})
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


