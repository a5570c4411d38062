"""A folder of animated files to shards: finished and refused ones are left alone, so that a rerun resumes."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...storage import atomic_path
from ..jobs import FAILED, MADE, REJECTED, Outcome, run_jobs
from ..shard_file import checked_split, is_finished, shard_path
from .asset import AssetJob, curate_file
from .settings import CurationSettings

SUFFIXES = (".glb", ".gltf")
BACKENDS = ("processes", "ray")
KEPT = "kept"


@dataclass(frozen=True)
class Rights:
    """Licence and attribution recorded with every asset; ``by_file`` overrides them for relative paths."""

    licence: str
    attribution: str = ""
    by_file: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, shown: str) -> dict[str, str]:
        """The licence and attribution of one file, named relative to the input folder."""
        own = self.by_file.get(shown, {})
        return {key: str(own.get(key, getattr(self, key))) for key in ("licence", "attribution")}


def find_files(folder: str | Path) -> dict[str, Path]:
    """All .glb and .gltf files below a folder, or the one file given, by the name their shard gets.

    The name comes from the path; where two would get the same one, both end in a number made from the path.
    Raises InputError when there are none.
    """
    folder = Path(folder)
    paths = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    paths = [path for path in paths if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise InputError(f"There are no .glb or .gltf files in {folder}; give the folder of the animated assets.")
    plain = {path: _plain(_shown(path, folder)) for path in paths}
    uses = Counter(plain.values())
    names = {}
    for path, name in plain.items():
        digits = f"-{zlib.crc32(_shown(path, folder).encode()):08x}" if uses[name] > 1 or not name else ""
        names[(name + digits).strip("-")] = path
    return names


def _shown(path: Path, folder: Path) -> str:
    return path.name if path == folder else path.relative_to(folder).as_posix()


def _plain(shown: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", shown.rsplit(".", 1)[0].lower()).strip("-")


def plan(
    source: str | Path, data: str | Path, split: str, settings: CurationSettings, rights: Rights
) -> list[tuple[str, AssetJob]]:
    """The shards to make, by name: one per file, or one per file and view when ``settings.frame`` is "view"."""
    jobs = []
    for name, path in find_files(source).items():
        shown = _shown(path, Path(source))
        for view in [None] if settings.frame == "canonical" else range(settings.views):
            shard = name if view is None else f"{name}-v{view}"
            target = str(shard_path(data, split, shard))
            jobs.append((shard, AssetJob(str(path), shown, target, view, settings, **rights.of(shown))))
    return jobs


def curate(
    source: str | Path,
    data: str | Path,
    settings: CurationSettings,
    rights: Rights,
    split: str = "train",
    workers: int = 2,
    backend: str = "processes",
    retry: bool = False,
) -> Iterator[Outcome]:
    """Make the missing shards of a folder and yield every asset's outcome, of those left alone at once.

    Refusals are remembered beside the shards until the file or the settings change, or ``retry`` asks for them.
    Errors are not: the next run tries again. ``backend``: "processes", or "ray" for Ray Data. A JSON report
    ``DATA/<split>/curation.json`` is written at the end. Raises InputError.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend={backend!r} is unknown; use 'processes' or 'ray'")
    Path(data, checked_split(split)).mkdir(parents=True, exist_ok=True)
    outcomes, open_jobs = [], []
    for name, job in plan(source, data, split, settings, rights):
        if is_finished(job.target, asdict(settings)):
            outcomes.append(Outcome(name, KEPT, job.target))
        elif not retry and (refusal := _remembered(name, job)) is not None:
            outcomes.append(refusal)
        else:
            open_jobs.append((name, job))
    yield from outcomes
    for outcome in _runner(backend)(curate_file, open_jobs, workers):
        outcomes.append(outcome)
        _remember(dict(open_jobs)[outcome.name], outcome)
        yield outcome
    _write(Path(data, split, "curation.json"), summary(outcomes, settings))


def _runner(backend: str) -> Any:
    if backend == "processes":
        return run_jobs
    from .ray_backend import run_on_ray

    return run_on_ray


def _refusal_path(job: AssetJob) -> Path:
    return Path(job.target.removesuffix(".safetensors") + ".rejected.json")


def _signature(job: AssetJob) -> dict[str, Any]:
    digest = hashlib.sha256(Path(job.source).read_bytes()).hexdigest()
    return {"sha256": digest, "settings": json.loads(json.dumps(asdict(job.settings)))}


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


def summary(outcomes: Sequence[Outcome], settings: CurationSettings) -> dict[str, Any]:
    """Counts by state and by reason, the names behind them, seconds per asset and figures, ready for JSON."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.name)
    seconds = [outcome.seconds for outcome in ordered if outcome.state == MADE]
    return {
        "counts": {state: sum(o.state == state for o in ordered) for state in (MADE, KEPT, REJECTED, FAILED)},
        "rejected": _by_reason(ordered, REJECTED),
        "failed": _by_reason(ordered, FAILED),
        "seconds_per_shard": sum(seconds) / len(seconds) if seconds else None,
        "figures": {outcome.name: outcome.figures for outcome in ordered if outcome.figures},
        "settings": asdict(settings),
    }


def _by_reason(outcomes: Sequence[Outcome], state: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for outcome in outcomes:
        if outcome.state == state:
            found.setdefault(outcome.reason, {})[outcome.name] = outcome.detail
    return found


def table(report: Mapping[str, Any]) -> Iterator[str]:
    """Markdown lines of :func:`summary`: what was made, and every reason with its count and names."""
    yield "| outcome | shards | which |"
    yield "|---|---|---|"
    yield f"| made | {report['counts'][MADE]} | |"
    yield f"| kept from before | {report['counts'][KEPT]} | |"
    for state in (REJECTED, FAILED):
        for reason, names in sorted(report[state].items(), key=lambda item: -len(item[1])):
            shown = ", ".join(list(names)[:5]) + (", ..." if len(names) > 5 else "")
            yield f"| {state}: {reason} | {len(names)} | {shown} |"


def read_rights(path: str | Path | None, licence: str | None, attribution: str) -> Rights:
    """Rights from a licence for all files and a JSON file {relative path: {"licence": ..., "attribution": ...}}.

    Raises InputError when there is neither, and for a file that is not of that form.
    """
    by_file: Any = {}
    if path is not None:
        try:
            by_file = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as JSON: {error}") from error
        if not isinstance(by_file, dict) or not all(isinstance(entry, dict) for entry in by_file.values()):
            raise InputError(f'{path} must hold {{"file.glb": {{"licence": "...", "attribution": "..."}}, ...}}.')
    if not licence and not by_file:
        raise InputError("The licence of the assets is recorded in every shard; give --licence or --licences.")
    return replace(Rights(licence or "unknown", attribution), by_file=by_file)
