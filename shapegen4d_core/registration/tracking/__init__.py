"""One topology for a sequence of independent meshes: the anchor's mesh, carried from frame to frame."""

from __future__ import annotations

from .report import FrameReport, TrackReport
from .settings import TrackSettings
from .track import TrackResult, track_topology

__all__ = ["FrameReport", "TrackReport", "TrackResult", "TrackSettings", "track_topology"]
