"""What became of the assets of a run, for a JSON file and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..jobs import FAILED, MADE, REJECTED, Outcome
from .settings import CurationSettings

KEPT = "kept"
"""The state of a shard that an earlier run finished."""


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
