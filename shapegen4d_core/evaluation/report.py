"""What an evaluation says: JSON for programs, Markdown for people, plots for the eye; all from the same rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..storage import atomic_path
from .measures import MEASURES
from .score_file import Row
from .statistics import paired, per_asset, summarise


def build_report(
    rows: Sequence[Row],
    about: Mapping[str, Any],
    titles: Mapping[str, str] | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Summaries of every method and measure, paired differences of ``pairs`` of methods, failures and notes.

    ``about`` says what was done (counts, seeds, settings); ``titles`` of methods, in the order wanted.
    """
    present = {row.method for row in rows}
    titles = {name: title for name, title in (titles or {}).items() if name in present} | {
        name: name for name in sorted(present - set(titles or {}))
    }
    measures = [name for name in MEASURES if any(name in row.values for row in rows)]
    return {
        "about": dict(about),
        "methods": {name: _method(rows, name, title, measures) for name, title in titles.items()},
        "groups": {name: _groups(rows, name, measures) for name in titles},
        "paired": [
            {"first": first, "second": second, **_differences(rows, first, second, measures)}
            for first, second in pairs
            if first in present and second in present
        ],
        "failures": [
            {"asset": row.asset, "method": row.method, "seed": row.seed, "reason": _reason(row)}
            for row in rows
            if row.failure is not None or row.failed_frames
        ],
        "notes": list(notes),
    }


def _reason(row: Row) -> str:
    return row.failure or f"{row.failed_frames} frames without a surface"


def _method(rows: Sequence[Row], name: str, title: str, measures: Sequence[str]) -> dict[str, Any]:
    own = [row for row in rows if row.method == name]
    summaries = {measure: per_asset(rows, name, measure) for measure in measures}
    return {
        "title": title,
        "runs": len(own),
        "seeds": sorted({row.seed for row in own if row.seed is not None}),
        "failed_runs": sum(row.failure is not None for row in own),
        "failed_frames": sum(row.failed_frames for row in own),
        "measures": {key: asdict(summarise(values.values())) for key, values in summaries.items() if values},
    }


def _groups(rows: Sequence[Row], name: str, measures: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean of every measure over the assets of each group."""
    groups = {row.asset: row.group for row in rows}
    found: dict[str, dict[str, float]] = {}
    for group in sorted(set(groups.values())):
        for measure in measures:
            values = [v for asset, v in per_asset(rows, name, measure).items() if groups[asset] == group]
            if values:
                found.setdefault(group, {})[measure] = summarise(values).mean
    return found


def _differences(rows: Sequence[Row], first: str, second: str, measures: Sequence[str]) -> dict[str, Any]:
    both = {key: (per_asset(rows, first, key), per_asset(rows, second, key)) for key in measures}
    return {"measures": {key: asdict(paired(*values)) for key, values in both.items() if all(values)}}


def markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown: one table of means with their intervals, one of medians, differences, failures."""
    methods = report["methods"]
    measures = [name for name in MEASURES if any(name in method["measures"] for method in methods.values())]
    head = "| method | " + " | ".join(MEASURES[name].title for name in measures) + " | failed |"
    rule = "|---" * (len(measures) + 2) + "|"
    lines = ["Mean over assets [95 % bootstrap interval]; lengths in half boxes.", "", head, rule]
    for method in methods.values():
        cells = [_cell(method["measures"].get(name), name) for name in measures]
        lines.append(f"| {method['title']} | {' | '.join(cells)} | {_failed(method)} |")
    lines += ["", "Medians over assets.", "", head[: -len(" failed |")], rule[: -len("---|")]]
    for method in methods.values():
        cells = [_median(method["measures"].get(name), name) for name in measures]
        lines.append(f"| {method['title']} | {' | '.join(cells)} |")
    if report["paired"]:
        lines += ["", "Paired differences, mean over assets [interval].", ""]
    for entry in report["paired"]:
        cells = [_difference(value, name) for name, value in entry["measures"].items()]
        names = (methods[entry[side]]["title"] for side in ("first", "second"))
        lines.append(f"* {' - '.join(names)}: {', '.join(cells)}")
    lines += _remarks(report)
    return "\n".join(lines) + "\n"


def _remarks(report: Mapping[str, Any]) -> list[str]:
    lines = ["", "About this evaluation.", ""]
    lines += [f"* {key}: {value}" for key, value in report["about"].items()]
    lines += [f"* {note}" for note in report["notes"]]
    failures = report["failures"]
    for entry in failures[:20]:
        lines.append(f"* failed: {entry['method']} on {entry['asset']} (seed {entry['seed']}): {entry['reason']}")
    if len(failures) > 20:
        lines.append(f"* and {len(failures) - 20} further failures, in report.json")
    return lines


def _cell(summary: Mapping[str, float] | None, name: str) -> str:
    if not summary or not summary["count"]:
        return "-"
    digits = MEASURES[name].digits
    text = f"{summary['mean']:.{digits}f} [{summary['low']:.{digits}f}, {summary['high']:.{digits}f}]"
    return text + (f" ({summary['undefined']} undefined)" if summary["undefined"] else "")


def _median(summary: Mapping[str, float] | None, name: str) -> str:
    return f"{summary['median']:.{MEASURES[name].digits}f}" if summary and summary["count"] else "-"


def _difference(summary: Mapping[str, float], name: str) -> str:
    measure = MEASURES[name]
    numbers = (f"{summary[key]:+.{measure.digits}f}" for key in ("mean", "low", "high"))
    return "{} {} [{}, {}]".format(measure.title, *numbers)


def _failed(method: Mapping[str, Any]) -> str:
    frames = f", {method['failed_frames']} frames" if method["failed_frames"] else ""
    return f"{method['failed_runs']} of {method['runs']}{frames}"


def write_report(folder: Path, report: Mapping[str, Any]) -> list[Path]:
    """Write ``report.json`` and ``report.md`` into ``folder``; returns their paths."""
    texts = {
        "report.json": json.dumps(_finite(report), indent=1, allow_nan=False) + "\n",
        "report.md": markdown(report),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def _finite(value: Any) -> Any:
    """The same with None where a number is not finite, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


