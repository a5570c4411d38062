"""The files that are opened in other programs: one row for every format and every way of writing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from shapegen4d_core.camera import Camera
from shapegen4d_core.export import write_glb
from shapegen4d_core.export.glb_skin import write_skinned_glb
from shapegen4d_core.export.mesh_folder import write_mesh_folder
from shapegen4d_core.export.point_cache import write_point_cache
from shapegen4d_core.export.usd import write_usd
from shapegen4d_core.rigging import Rig, RigSettings, fit_rig
from shapegen4d_core.sequence import MeshSequence
from tests.clients.bodies import NAME, moving, remeshed, reordered, travelling

TOLERANCE = 1e-4  # of the longest side of the box


@dataclass(frozen=True)
class Case:
    """One file: what is in it, how it is written, how a program opens it and what it should then play.

    ``played`` are the frames that the keys of the animation show, the last one at its end; None for every frame once,
    the last one held. ``places`` are the times, in frames, at which it is looked at. ``linear``: positions move between
    keys. ``cameras``: one per frame. ``shaded``: with smooth normals.
    ``label`` begins the name of an object in it. ``texture``: programs show the picture. ``package``: what its writer
    needs.
    """

    name: str
    make: Callable[[], MeshSequence]
    write: Callable[[MeshSequence, Path], Path]
    opens: str = "glb"
    linear: bool = False
    programs: tuple[str, ...] = ("Blender", "three.js")
    played: tuple[int, ...] | None = None
    places: tuple[float, ...] | None = None
    cameras: tuple[Camera, ...] | None = None
    shaded: bool = True
    label: str = NAME
    texture: bool = True
    package: str | None = None

    @property
    def missing(self) -> str | None:
        """What to install before the case can be written; None when all is there."""
        if self.package is None or find_spec(self.package):
            return None
        return "usd-core is not installed; pip install usd-core"


@dataclass(frozen=True)
class Written:
    """A case on disk with what it should show when."""

    case: Case
    sequence: MeshSequence
    path: Path

    @property
    def played(self) -> tuple[int, ...]:
        """The frame at each key, N + 1 of them, 1 / fps apart."""
        count = self.sequence.frame_count
        return self.case.played or (*range(count), count - 1)

    @property
    def duration(self) -> float:
        """Seconds from the first key to the last."""
        return (len(self.played) - 1) / self.sequence.fps

    @property
    def seconds(self) -> list[float]:
        """Three times, unless the case names others: a quarter into the first, the middle and the last frame."""
        count = len(self.played) - 1
        places = self.case.places or tuple(key + 0.25 for key in (0, count // 2, count - 1))
        return [place / self.sequence.fps for place in places]

    @property
    def stills(self) -> list[Path] | None:
        """Of a folder of meshes the file of each of the three times, in the order of their names; None of one file."""
        if not self.path.is_dir():
            return None
        files = sorted(self.path.glob(f"*.{self.case.opens.split()[-1]}"))
        return [files[self.frames_at(seconds)[0]] for seconds in self.seconds]

    def frames_at(self, seconds: float) -> tuple[int, int, float]:
        """The frame played at a time, the next one, and the share of the way between them."""
        key = int(seconds * self.sequence.fps)
        return self.played[key], self.played[key + 1], seconds * self.sequence.fps - key if self.case.linear else 0.0

    def expected(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [V,3] float64 and faces [F,3] that should be seen at a time."""
        frame, after, share = self.frames_at(seconds)
        vertices = self.sequence.vertices[frame].astype(np.float64)
        if share:
            vertices = (1 - share) * vertices + share * self.sequence.vertices[after]
        return vertices, self.sequence.faces[frame]


def glb(name: str, **options) -> Callable[[MeshSequence, Path], Path]:
    """A writer of one GLB with these options, as a case holds it."""
    return lambda sequence, folder: write_glb(sequence, folder / f"{name}.glb", **options)


def orbit(frame_count: int) -> tuple[Camera, ...]:
    """A camera that goes a quarter around the object and rises."""
    shares = [frame / frame_count for frame in range(frame_count)]
    return tuple(Camera(90 * share, 40 * share - 10, 3 + share, (0.1, 0, 0.2), 35, 320, 240) for share in shares)


def glb_cases() -> list[Case]:
    """Animated GLB in every encoding."""
    forth = tuple(range(12))
    cameras = orbit(12)
    return [
        Case("GLB morph, STEP", moving, glb("step")),
        Case("GLB morph, LINEAR", moving, glb("linear", interpolation="LINEAR"), linear=True),
        Case("GLB morph, 12.5 fps", lambda: moving(fps=12.5), glb("odd")),
        Case("GLB morph, unlit", moving, glb("unlit", unlit=True)),
        Case("GLB morph, WebP texture", moving, glb("webp", texture_format="webp")),
        Case("GLB morph, quantised", moving, glb("small", quantize=True)),
        Case("GLB morph, no normals", moving, glb("bare", normals=False), shaded=False),
        Case("GLB morph, cycle", moving, glb("cycle", interpolation="LINEAR", loop="cycle"), linear=True,
             played=(*forth, 0)),
        Case("GLB morph, ping-pong", moving, glb("pong", interpolation="LINEAR", loop="ping-pong"), linear=True,
             played=(*forth, *forth[-2:0:-1], 0)),
        Case("GLB morph, camera", moving, glb("camera", camera=cameras), cameras=cameras),
        Case("GLB morph, root translation", travelling, glb("moved", root_motion="translation")),
        Case("GLB morph, root rigid", travelling, glb("rigid", root_motion="rigid")),
        Case("GLB morph, 300 frames", lambda: moving(300, 24.0), glb("long", interpolation="LINEAR"), linear=True,
             places=(249.5, 250.5, 299.25)),
        Case("GLB flip book", remeshed, glb("flip")),
        Case("GLB flip book, frames empty", lambda: remeshed(empty=(6,)), glb("gap")),
        Case("GLB flip book, quantised", remeshed, glb("flipsmall", quantize=True)),
        Case("GLB flip book, root translation", remeshed, glb("flipmoved", root_motion="translation")),
        Case("GLB flip book, textured", moving, glb("fliptexture", encoding="flipbook")),
    ]  # fmt: skip


@cache
def rigged() -> tuple[Rig, MeshSequence]:
    """A rig with few joints and the sequence it makes, which a skinned file has to show: the fit's error is apart."""
    sequence = moving()
    rig = fit_rig(sequence, RigSettings(joints=8, iterations=4, tries=1))
    return rig, rig.sequence(sequence)


def skin(name: str, **options) -> Callable[[MeshSequence, Path], Path]:
    """A writer of one skinned GLB with these options, as a case holds it."""
    return lambda sequence, folder: write_skinned_glb(sequence, rigged()[0], folder / f"{name}.glb", **options)


def skin_cases() -> list[Case]:
    """Skinned GLB; between frames joints turn, so LINEAR is looked at in whole frames."""
    cameras = orbit(12)
    return [
        Case("GLB skin, STEP", lambda: rigged()[1], skin("skin", interpolation="STEP"), shaded=False),
        Case("GLB skin, LINEAR", lambda: rigged()[1], skin("skinned"), places=(0, 6, 11), shaded=False),
        Case("GLB skin, WebP, camera", lambda: rigged()[1], skin("more", texture_format="webp", camera=cameras),
             places=(0, 6, 11), cameras=cameras, shaded=False),
    ]  # fmt: skip


def usd(file: str, **options) -> Callable[[MeshSequence, Path], Path]:
    """A writer of one USD stage with these options, as a case holds it."""
    return lambda sequence, folder: write_usd(sequence, folder / file, **options)


def usd_cases() -> list[Case]:
    """Stages with time samples; names of prims are ASCII."""
    cameras = orbit(12)
    programs = ("Blender", "three.js, frame 1")
    kind = {"opens": "usd", "programs": programs, "label": "F_chsin__", "package": "pxr"}
    return [
        Case("USDC", moving, usd("a.usdc"), linear=True, **kind),
        Case("USDA", moving, usd("a.usda"), linear=True, **kind),
        Case("USDZ", moving, usd("a.usdz"), linear=True, **kind),
        Case("USDC, 12.5 fps", lambda: moving(fps=12.5), usd("a.usdc"), linear=True, **kind),
        Case("USDC, z up, centimetres", moving, usd("a.usdc", up_axis="Z", metres_per_unit=0.01), linear=True, **kind),
        Case("USDC, camera", moving, usd("a.usdc", camera=cameras), cameras=cameras, places=(0, 6, 11), **kind),
        Case("USDC, topology changes", remeshed, usd("a.usdc"), **kind),
        Case("USDC, topology changes, counts do not", reordered, usd("a.usdc"), **kind),
        Case("USDC, frames empty", lambda: remeshed(empty=(6,)), usd("a.usdc"), **kind),
        Case("USDA, topology changes", remeshed, usd("a.usda"), **kind),
    ]


def folder(kind: str) -> Callable[[MeshSequence, Path], Path]:
    """A writer of a folder of this kind, as a case holds it."""
    return lambda sequence, place: write_mesh_folder(sequence, place / "meshes", kind=kind)


def folder_cases() -> list[Case]:
    """One mesh per file.

    Blender's PLY importer knows texture coordinates but no pictures, and refuses files without vertices.
    """
    only = {"programs": ("Blender", "trimesh"), "label": "frame_"}
    obj, ply = {"opens": "folder of obj", **only}, {"opens": "folder of ply", **only}
    return [
        Case("folder of OBJ", moving, folder("obj"), **obj),
        Case("folder of OBJ, topology changes", lambda: remeshed(empty=(6,)), folder("obj"), **obj),
        Case("folder of PLY", moving, folder("ply"), texture=False, **ply),
        Case("folder of PLY, topology changes", lambda: remeshed(empty=(5,)), folder("ply"), **ply),
        Case("folder of GLB", moving, folder("glb"), opens="folder of glb", programs=("Blender", "trimesh")),
    ]


def cache_of(file: str) -> Callable[[MeshSequence, Path], Path]:
    """A writer of a point cache and its base mesh, as a case holds it."""
    return lambda sequence, place: write_point_cache(sequence, place / file)


def cache_cases() -> list[Case]:
    """Point caches, which move the base mesh beside them."""
    kind = {"linear": True, "programs": ("Blender",), "label": "a"}
    return [
        Case("PC2 and base OBJ", moving, cache_of("a.pc2"), opens="pc2", **kind),
        Case("MDD and base OBJ", moving, cache_of("a.mdd"), opens="mdd", **kind),
        Case("PC2, 12.5 fps", lambda: moving(fps=12.5), cache_of("a.pc2"), opens="pc2", **kind),
    ]


def cases() -> list[Case]:
    """Every row of the table."""
    return [*glb_cases(), *skin_cases(), *usd_cases(), *folder_cases(), *cache_cases()]


def first_frames(program: str) -> list[Case]:
    """The cases of a program that shows the first frame only, to be looked at once, where that one is seen."""
    return [replace(case, places=(0.0,)) for case in cases() if program in case.programs]


def write_all(folder: Path, wanted: list[Case]) -> list[Written]:
    """Write every case that can be written here into a folder of its own."""
    done = []
    for number, case in enumerate(case for case in wanted if not case.missing):
        place = folder / f"case{number:02d}"
        place.mkdir()
        sequence = case.make()
        done.append(Written(case, sequence, case.write(sequence, place)))
    return done
