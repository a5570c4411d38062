"""The figures of a run: a CSV table that a resumed run continues, and TensorBoard when it is installed."""

from __future__ import annotations

import csv
from pathlib import Path

from ..storage import atomic_path

LOG = "log.csv"


class Records:
    """Rows of (step, name) -> value; the table is rewritten whole when a new column appears."""

    def __init__(self, folder: Path, step: int) -> None:
        """Keep the rows of ``folder`` up to ``step``; later ones were written after the checkpoint and come again."""
        self.path = folder / LOG
        self.rows = [row for row in read_log(folder) if row["step"] <= step]
        self._write()
        self.board = _board(folder, step)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Append the figures of one step."""
        row = {"step": step, **{key: float(f"{value:.6g}") for key, value in values.items()}}
        new = not self.rows or set(row) - set(self._columns())
        self.rows.append(row)
        if new:
            self._write()
        else:
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns()).writerow(row)
        if self.board is not None:
            for key, value in values.items():
                self.board.add_scalar(key, value, step)
            self.board.flush()

    def close(self) -> None:
        """Finish the TensorBoard file."""
        if self.board is not None:
            self.board.close()

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(key for row in self.rows for key in row))

    def _write(self) -> None:
        with atomic_path(self.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns() or ["step"])
            writer.writeheader()
            writer.writerows(self.rows)


def read_log(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's table, without empty cells; [] when there is none."""
    path = folder / LOG
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return [{**row, "step": int(row["step"])} for row in rows]


def _board(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
