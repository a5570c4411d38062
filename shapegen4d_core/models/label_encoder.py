"""Label tokens of the label-conditioned model: pose, symmetry, geometry quality (spec 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .config import LabelEncoderConfig

LABELS = {
    "pose": {"unknown": 0, "t-pose": 1, "a-pose": 2},
    "symmetry": {"asymmetry": 0, "y": 0, "z": 0, "x": 1},
    "geometry_type": {"normal": 0, "smooth": 1, "sharp": 2},
}
UNREAD_LABELS = ("edge_type",)  # passed by the published demo, read by nothing


class LabelEncoder(nn.Module):
    """Three embedding tables (3, 2, 3 rows); parameter names are those of the published file."""

    def __init__(
        self, config: LabelEncoderConfig, ops: Any = nn, dtype: torch.dtype | None = None, device: Any = None
    ):
        super().__init__()
        self.config = config
        place = {"dtype": dtype, "device": device}
        self.embedding_table_tpose = ops.Embedding(3, config.hidden_size, **place)
        self.embedding_table_symmetry_type = ops.Embedding(2, config.hidden_size, **place)
        self.embedding_table_geometry_quality = ops.Embedding(3, config.hidden_size, **place)

    def forward(self, labels: Mapping[str, Any] | None) -> Tensor:
        """Label tokens [1,3,D] in the order pose, symmetry, geometry quality.

        labels: any of ``pose``, ``symmetry``, ``geometry_type`` with the values in LABELS (geometry_type
        may be a list of one). A label left out is row 0 of its table; None or an empty string is a zero
        token; no labels at all (None) are three zero tokens. Raises InputError for other labels or values.
        """
        if labels is None:
            return self.zeros()
        unknown = sorted(set(labels) - set(LABELS) - set(UNREAD_LABELS))
        if unknown:
            raise InputError(f"Unknown labels {unknown}; known are {', '.join(LABELS)}.")
        tables = (
            self._pose_table(labels),
            self.embedding_table_symmetry_type,
            self.embedding_table_geometry_quality,
        )
        tokens = [self._token(name, table, labels) for name, table in zip(LABELS, tables)]
        return torch.stack(tokens).unsqueeze(0)

    def zeros(self) -> Tensor:
        """The unconditional tokens [1,3,D]."""
        return torch.zeros_like(self.embedding_table_tpose.weight).unsqueeze(0)

    def _pose_table(self, labels: Mapping[str, Any]) -> nn.Module:
        """A given pose is read from the symmetry table: so the released code does, so its weights expect."""
        return self.embedding_table_symmetry_type if labels.get("pose") else self.embedding_table_tpose

    def _token(self, name: str, table: nn.Module, labels: Mapping[str, Any]) -> Tensor:
        value = labels.get(name, next(iter(LABELS[name])))
        if isinstance(value, (list, tuple)):
            value = value[0] if value else None
        weight = table.weight
        if value is None or value == "":
            return torch.zeros_like(weight[0])
        row = LABELS[name].get(value)
        if row is None or row >= weight.shape[0]:
            usable = [key for key, index in LABELS[name].items() if index < weight.shape[0]]
            raise InputError(f"The label {name} is {value!r}; it must be one of {', '.join(usable)}.")
        return table(torch.tensor(row, device=weight.device))
