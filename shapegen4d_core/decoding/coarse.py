"""Coarse-to-fine sampling: the surface of the dense grid from a few percent of its evaluations.

The coarse lattice is every third vertex of the fine grid (or every 9th, 27th: factors of three). Each finer
vertex belongs to its nearest coarse vertex, at most sqrt(3) finer steps away. If the coarse value v says that
the surface is farther than that, the finer vertex takes the sign of v; otherwise it is evaluated. Then the
surface is followed: corners of cells it crosses are evaluated, wherever that leads (follow.py). Threes beat
twos: a step of three cells has the covering radius of a step of two, with 1/27 of the points, not 1/8.

What is guaranteed
 * Any field: every cell with both signs has eight evaluated corners. So the surface is made of whole
   connected components of the dense surface, equal to it in every vertex; no holes, no NaN.
 * A signed distance divided by its truncation t, given as ``truncation``: nothing is missing, whatever its
   size, when ``certified``, that is sqrt(3)*(s-1)/2 cells <= 0.95 t for the coarsest step s. Step 3 is always
   used, so this reads cell <= 0.548 t: t = 0.01 in bounds 1.05 needs a resolution of 384 or more.
 * Otherwise a component is missed when it stays away from all coarse vertices by 0.95 t. In cells c, what can be
   missed is no larger than a ball of radius 2.6 c - 0.95 t, a strand along an axis of radius 2.1 c - 0.95 t, a
   wall along an axis of half thickness 1.5 c - 0.95 t; at resolution 256 and t = 0.01 these are 1.4, 1.0 and
   0.3 cells. Only separate components: what is connected to anything found is followed.
 * Unknown truncation (None): every vertex around an unsaturated coarse value is evaluated; the last point
   holds with the unknown t. The cost grows with t.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .follow import follow_surface
from .grid import Grid, GridSample
from .memory import ChunkedField
from .settings import SATURATED

FACTOR = 3
DENSE_BELOW = 24  # resolution under which the coarse lattice saves nothing worth having
LEAST_COARSE_CELLS = 8
# How much steeper than a distance the field may be before a vertex is wrongly skipped: networks overshoot.
SLOPE_MARGIN = 1.25
CANDIDATES_AT_ONCE = 1 << 16


class CoarseToFine:
    """Samples fields on ``grid``; index tables are made once and serve every frame.

    truncation: distance in half boxes at which the field saturates, None when unknown.
    level: isovalue that the field will be shifted by; it eats into the saturation margin.
    step: cells between coarse vertices, a power of three (1: dense); None chooses.
    """

    def __init__(
        self,
        grid: Grid,
        truncation: float | None = None,
        level: float = 0.0,
        device: torch.device | str = "cpu",
        step: int | None = None,
    ):
        self.grid, self.truncation = grid, truncation
        self.near = SATURATED - abs(level)
        self.step = self._choose_step() if step is None else step
        self.axis = grid.axis(device)
        self.steps = [FACTOR**k for k in range(round(math.log(self.step, FACTOR)), -1, -1)]
        self.lattices = [_lattice(grid.resolution, step) for step in self.steps]
        pairs = zip(self.lattices, self.lattices[1:], self.steps[1:])
        self.tables = [_Refinement(coarse, fine, (step - 1) / 2, device) for coarse, fine, step in pairs]

    @property
    def certified(self) -> bool:
        """Whether no component of the surface of a true signed distance can be missed."""
        return self._reaches(self.step)

    def _reaches(self, step: int) -> bool:
        if step == 1:
            return True
        known = self.truncation is not None
        return known and math.sqrt(3) * (step - 1) / 2 * self.grid.cell <= self.near * self.truncation

    def _choose_step(self) -> int:
        if self.grid.resolution < DENSE_BELOW:
            return 1
        step = FACTOR
        while self.grid.resolution >= LEAST_COARSE_CELLS * step * FACTOR and self._reaches(step * FACTOR):
            step *= FACTOR
        return step

    def __call__(self, field: ChunkedField) -> GridSample:
        """Values of ``field`` at the vertices around its surface, +1 or -1 elsewhere."""
        before = field.evaluations
        values = self._coarsest(field)
        known = torch.ones_like(values, dtype=torch.bool)
        for table in self.tables:
            values, known = self._refine(values, known, table, field)

        def evaluate(flat: Tensor) -> Tensor:
            return field(self.grid.points(flat, self.axis))

        follow_surface(values, known, evaluate)
        return GridSample(self.grid, values, field.evaluations - before)

    def _coarsest(self, field: ChunkedField) -> Tensor:
        line = self.axis[self.lattices[0].to(self.axis.device)]
        points = torch.cartesian_prod(line, line, line)
        return field(points).view((len(line),) * 3)

    def _refine(
        self, values: Tensor, known: Tensor, table: _Refinement, field: ChunkedField
    ) -> tuple[Tensor, Tensor]:
        """Values and known mask on the next finer lattice."""
        wanted = table.uncertain(values, self._bounds(table))
        fine, fine_known = table.spread(values, known)
        x, y, z = wanted.unbind(1)
        line = self.axis[table.fine]
        fine[x, y, z] = field(line[wanted])
        fine_known[x, y, z] = True
        return fine, fine_known

    def _bounds(self, table: _Refinement) -> Tensor:
        """Least |value| of a coarse vertex that settles the sign at squared gap 0..12 (cells), float32."""
        gap = torch.arange(table.most_gap2 + 1, dtype=torch.float64).sqrt() + math.sqrt(3) * table.radius
        if self.truncation is None:
            return torch.full(gap.shape, self.near, dtype=torch.float32, device=self.axis.device)
        distance = SLOPE_MARGIN * self.grid.cell * gap / self.truncation
        return distance.clamp(max=self.near).float().to(self.axis.device)


def _lattice(resolution: int, step: int) -> Tensor:
    """Fine indices int64 of the coarse vertices along an axis: every ``step``, and always the last."""
    return torch.unique(torch.cat([torch.arange(0, resolution + 1, step), torch.tensor([resolution])]))


class _Refinement:
    """Index tables along one axis between a coarse and a finer lattice (the three axes are alike).

    nearest [m]: coarse entry each finer entry belongs to; gap2 [m]: squared distance to it in cells;
    home [n]: the finer entry at each coarse one; block [n,w]: finer entries of each coarse one, -1 for none.
    radius: half the finer step less one, in cells: what lies below a finer vertex (Chebyshev).
    """

    def __init__(self, coarse: Tensor, fine: Tensor, radius: float, device: torch.device | str):
        self.radius = radius
        between = (coarse[1:] + coarse[:-1]).float() / 2
        nearest = torch.bucketize(fine.float(), between)
        gap = fine - coarse[nearest]
        first = torch.searchsorted(nearest, torch.arange(len(coarse)))
        counts = torch.bincount(nearest, minlength=len(coarse))
        reach = torch.arange(int(counts.max()))
        block = torch.where(reach < counts[:, None], first[:, None] + reach, -1)
        self.fine, self.nearest, self.gap2 = fine.to(device), nearest.to(device), (gap * gap).to(device)
        self.home, self.block = torch.searchsorted(fine, coarse).to(device), block.to(device)
        self.most_gap2 = 3 * int(self.gap2.max())

    def spread(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Finer values: the sign of the nearest coarse one, the coarse values at their own vertices."""
        signs = torch.where(values >= 0, 1.0, -1.0)
        for axis in (2, 1, 0):  # rows last: the large copies are then contiguous
            signs = signs.index_select(axis, self.nearest)
        here = (self.home[:, None, None], self.home[:, None], self.home)
        signs[here] = values
        mask = torch.zeros(signs.shape, dtype=torch.bool, device=signs.device)
        mask[here] = known
        return signs, mask

    def uncertain(self, values: Tensor, bounds: Tensor) -> Tensor:
        """Finer vertices int64 [P,3] whose sign the coarse ``values`` do not settle; not the coarse ones.

        bounds: least |value| that settles a vertex, by squared gap.
        """
        candidates = (values.abs() < bounds.max()).nonzero()
        found = [self._uncertain(part, values, bounds) for part in candidates.split(CANDIDATES_AT_ONCE)]
        return torch.cat(found)

    def _uncertain(self, coarse: Tensor, values: Tensor, bounds: Tensor) -> Tensor:
        size = values[coarse[:, 0], coarse[:, 1], coarse[:, 2]].abs()
        x, y, z = torch.broadcast_tensors(
            self.block[coarse[:, 0]][:, :, None, None],
            self.block[coarse[:, 1]][:, None, :, None],
            self.block[coarse[:, 2]][:, None, None, :],
        )
        gap2 = self.gap2[x] + self.gap2[y] + self.gap2[z]
        unsettled = (gap2 > 0) & (size[:, None, None, None] < bounds[gap2])
        unsettled &= (x >= 0) & (y >= 0) & (z >= 0)
        return torch.stack([x[unsettled], y[unsettled], z[unsettled]], dim=1)
