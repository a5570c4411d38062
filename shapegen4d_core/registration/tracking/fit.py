"""One mesh to the surface of one frame: similarity, then a coarse graph, then every vertex."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...geometry.arap import Arap, Blend
from ...geometry.icp import CloudPair, similarity_icp
from ...geometry.similarity import Similarity
from ...progress import Check, Progress, tick
from .descent import descend
from .elastic import Stepper
from .graph import Graph, GraphBody
from .parts import match_parts
from .settings import TrackSettings
from .surface import Target, Template, closest_pairs

ICP_POINTS = 2000
ICP_ROUNDS = 30
TORN_AT = 0.05  # half boxes
GRAPH_ROUNDS = 3  # alternations of rotations and positions per search on the graph


class MeshBody:
    """All vertices of the template as an elastic body with one rest shape [V,3], or several with a share each."""

    def __init__(self, template: Template, *rests: tuple[np.ndarray, float], smoothness: float = 0.0) -> None:
        parts = [
            (Arap.of_mesh(rest, template.faces, smoothness=smoothness), share) for rest, share in rests if share > 0
        ]
        self.arap = parts[0][0] if len(parts) == 1 else Blend(parts)
        self.to_samples = template.to_samples

    def offsets(self, rotations: np.ndarray) -> float:
        """Nothing: samples follow the vertices alone."""
        return 0.0


class Fitter:
    """Fits one template to target after target; keeps what does not change between them."""

    def __init__(self, template: Template, settings: TrackSettings) -> None:
        self.template, self.settings = template, settings

    @cached_property
    def graph(self) -> Graph:
        """The deformation graph of the template's rest shape."""
        return Graph(self.template.rest, self.template.faces, self.settings.nodes)

    @staticmethod
    def steps_of(settings: TrackSettings) -> int:
        """Ticks of one fit."""
        return 1 + settings.coarse_iterations + settings.iterations

    @property
    def steps(self) -> int:
        """Ticks of one fit."""
        return self.steps_of(self.settings)

    def target(self, vertices: np.ndarray, faces: np.ndarray, number: int) -> Target:
        """The surface of a frame [V,3], [F,3]; ``number`` gives every frame samples of its own."""
        settings = self.settings
        seed = settings.seed + 7919 * (number + 1)
        return Target.of_mesh(vertices, faces, settings.samples, settings.normal_weight, seed)

    def misfit(self, vertices: np.ndarray, target: Target) -> float:
        """Mean distance of the closest pairs both ways."""
        return float(self._pairs(vertices, target).distance.mean())

    def unmatched(self, vertices: np.ndarray, target: Target) -> float:
        """Share 0..1 of both surfaces' samples that are TORN_AT or more from a partner, or look the other way."""
        pairs = self._pairs(vertices, target)
        return float(((pairs.distance > TORN_AT) | (pairs.weight <= 0)).mean())

    def fit(
        self, start: np.ndarray, target: Target, progress: Progress | None = None, check: Check | None = None
    ) -> np.ndarray:
        """Vertices float64 [V,3] of the template on the target, from vertices ``start`` [V,3]."""
        matched = match_parts(start, self.template, target)
        if matched is None:
            vertices, rest = similar(start, self.template, target), self.template.rest
        else:
            vertices, rest, target = matched.vertices, matched.rest, matched.target
        tick(progress, check, 1, self.steps)
        if self.settings.coarse_iterations:
            vertices = self._coarse(vertices, target, progress, check)
        if self.settings.solver == "large-steps":
            return descend(vertices, self.template, target, self.settings, check)
        memory = self.settings.memory
        before = vertices if matched else start
        body = MeshBody(self.template, (rest, memory), (before, 1 - memory), smoothness=self.settings.smoothness)
        return self._fine(body, vertices, target, progress, check)

    def _coarse(
        self, vertices: np.ndarray, target: Target, progress: Progress | None, check: Check | None
    ) -> np.ndarray:
        body = GraphBody(self.graph, vertices, self.template.to_samples)
        nodes, stepper = vertices[self.graph.nodes], Stepper(body, self.settings.plane)
        count = self.settings.coarse_iterations
        for number, stiffness in enumerate(schedule(self.settings.stiffness, count)):
            pairs = self._pairs(vertices, target)
            nodes = stepper.step(nodes, pairs, stiffness, GRAPH_ROUNDS)
            vertices = body.vertices(nodes)
            tick(progress, check, 2 + number, self.steps)
        return vertices

    def _fine(
        self, body: MeshBody, vertices: np.ndarray, target: Target, progress: Progress | None, check: Check | None
    ) -> np.ndarray:
        stepper = Stepper(body, self.settings.plane)
        done = 2 + self.settings.coarse_iterations
        for number, stiffness in enumerate(schedule(self.settings.stiffness, self.settings.iterations)):
            vertices = stepper.step(vertices, self._pairs(vertices, target), stiffness)
            tick(progress, check, done + number, self.steps)
        return vertices

    def _pairs(self, vertices: np.ndarray, target: Target):
        template = self.template
        return closest_pairs(template.samples(vertices), template.sample_normals(vertices), target, template.part)


def schedule(ends: tuple[float, float], count: int) -> np.ndarray:
    """``count`` values from the first end to the last, in equal ratios."""
    return np.geomspace(*ends, count) if count > 1 else np.array(ends[1:])


def similar(start: np.ndarray, template: Template, target: Target) -> np.ndarray:
    """``start`` [V,3] after the similarity that closest points ask for; unchanged when it brings nothing nearer."""
    pair = CloudPair(template.samples(start)[:ICP_POINTS], target.points[:ICP_POINTS])
    best = similarity_icp(pair, Similarity(), ICP_ROUNDS)
    return best(start) if pair.chamfer(best) < pair.chamfer(Similarity()) else start.astype(np.float64)
