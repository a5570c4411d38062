"""Colours for texels no frame shows: from their mirror image, from a texture given, then by diffusion.

What is filled in is shifted smoothly so that it meets the seen colours without a step. Every texel gets a confidence:
its quality where it was seen, at most MIRRORED or GIVEN where its colour comes from elsewhere, 0 where it was made up.
N texels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..progress import Check, tick
from .diffuse import spread
from .settings import TextureSettings
from .surface import Surface
from .symmetry import Mirror, are_partners, find_mirror, partners
from .texels import Texels, texel_coordinates

MIRRORED, GIVEN = 0.3, 0.5
"""Highest confidence of a texel coloured by its mirror image, and by a given texture."""

_ROWS = 1 << 18  # texels looked up at once
_FULL = 3.0  # quality, in units of the least, from which a texel keeps its own colour entirely
_EVERY = 8  # one of this many seen texels has its mirror image looked up, to compare colours
_PAIRS = 100  # pairs of seen mirror images needed to compare their colours
_APART = 0.04  # half boxes from the plane; nearer, everything looks like its mirror image
_ALIKE = 0.5  # difference of mirror images, relative to that of any two texels, that still counts as agreement
_CLOSE = 0.08  # difference of mirror images, 0..1, that always counts as agreement


@dataclass(frozen=True, eq=False)
class Completed:
    """``colour`` [N,3], ``confidence`` [N] 0..1, and the ``shares`` of texels seen, given, mirrored and spread.

    ``mirror`` is the plane used, ``mirror_note`` says in a few words why it was or was not.
    """

    colour: np.ndarray
    confidence: np.ndarray
    shares: dict[str, float]
    mirror: Mirror | None
    mirror_note: str


def complete(
    surface: Surface,
    texels: Texels,
    colour: np.ndarray,
    quality: np.ndarray,
    settings: TextureSettings,
    given: tuple[np.ndarray, np.ndarray] | None = None,
    check: Check | None = None,
) -> Completed:
    """Fill in what ``quality`` [N] says is unseen of ``colour`` [N,3].

    ``given`` is another texture for the same texels, colours [N,3] and trust [N] 0..1, used before mirror images.
    """
    trust = trust_of(quality, settings.min_quality)
    confidence = np.where(trust > 0, quality, 0).astype(np.float32)
    shares = {"seen": _share(texels, trust > 0.5)}
    if given is not None:
        colour, confidence, trust = _blend(
            surface, texels, (colour, confidence, trust), given[0], given[1], GIVEN * given[1], check
        )
    shares["given"] = _share(texels, trust > 0.5) - sum(shares.values())
    mirror, note = None, "switched off"
    if settings.symmetry and (trust < 1).any() and (trust > 0).any():
        mirror, note, image = _mirror_image(surface, texels, colour, confidence, trust, settings, check)
        if mirror is not None:
            colour, confidence, trust = _blend(
                surface, texels, (colour, confidence, trust), image[0], image[1], MIRRORED * image[2], check
            )
    shares["mirrored"] = _share(texels, trust > 0.5) - sum(shares.values())
    colour = spread(surface, texels, colour, trust, check=check)
    shares["spread"] = 1 - sum(shares.values())
    return Completed(colour.clip(0, 1), confidence.clip(0, 1), shares, mirror, note)


def trust_of(quality: np.ndarray, least: float) -> np.ndarray:
    """How far a texel keeps its own colour [N]: 0 up to quality ``least``, 1 from three times that, smooth between."""
    if least <= 0:
        return (quality > 0).astype(np.float32)
    rise = ((quality - least) / ((_FULL - 1) * least)).clip(0, 1)
    return (rise * rise * (3 - 2 * rise)).astype(np.float32)


def _share(texels: Texels, chosen: np.ndarray) -> float:
    return float((chosen & texels.inside).sum() / max(1, texels.inside.sum()))


def _blend(
    surface: Surface,
    texels: Texels,
    known: tuple[np.ndarray, np.ndarray, np.ndarray],
    other: np.ndarray,
    other_trust: np.ndarray,
    other_confidence: np.ndarray,
    check: Check | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Known (colour, confidence, trust) completed by other colours [N,3], shifted to meet them where both are known."""
    colour, confidence, trust = known
    both = (trust * other_trust).astype(np.float32)
    shift = spread(surface, texels, (colour - other).astype(np.float32), both, check=check)
    share = ((1 - trust) * other_trust)[:, None]
    whole = trust + share[:, 0]
    mixed = trust[:, None] * colour + share * (other + shift)
    colour = np.where(whole[:, None] > 0, mixed / np.maximum(whole, 1e-6)[:, None], colour)
    confidence = np.where(trust > 0.5, confidence, np.maximum(confidence * trust, other_confidence))
    return colour.astype(np.float32), confidence.astype(np.float32), whole.astype(np.float32)


def _mirror_image(
    surface: Surface,
    texels: Texels,
    colour: np.ndarray,
    confidence: np.ndarray,
    trust: np.ndarray,
    settings: TextureSettings,
    check: Check | None,
) -> tuple[Mirror | None, str, tuple[np.ndarray, np.ndarray, np.ndarray] | None]:
    """Plane, reason, and colour [N,3], trust [N] and confidence [N] of the mirror image of every texel."""
    mirror = find_mirror(surface, settings.symmetry_tolerance, check)
    if mirror is None:
        return None, "the mesh is not symmetric", None
    wanted = trust < 1
    wanted[:: _EVERY] = True  # and some of the others, whose colours can be compared
    rows = np.flatnonzero(wanted)
    points = texels.mix(surface.vertices(mirror.source), surface.faces, rows)
    normals = texels.mix(surface.normals(mirror.source), surface.faces, rows)
    found = partners(surface, points, normals, mirror, check)
    page = np.zeros((texels.size**2, 5), np.float32)
    page[texels.pixel, :3] = colour * trust[:, None]
    page[texels.pixel, 3], page[texels.pixel, 4] = trust, confidence * trust
    image = np.zeros((len(texels), 5), np.float32)
    page = page.reshape(texels.size, texels.size, 5)
    for start in range(0, len(rows), _ROWS):
        tick(None, check, start, len(rows))
        part = slice(start, start + _ROWS)
        image[rows[part]] = _bilinear(page, surface, found.face[part], found.weights[part])
    there = np.zeros(len(texels), np.float32)
    there[rows] = image[rows, 3] * are_partners(found, settings.symmetry_tolerance * surface.half_box)
    image_colour = image[:, :3] / np.maximum(image[:, 3:4], 1e-6)
    both = np.flatnonzero((trust > 0.5) & (there > 0.5))
    apart = np.abs(texels.mix(surface.vertices(mirror.source), surface.faces, both) @ mirror.normal - mirror.offset)
    comparable = both[apart > _APART * surface.half_box]
    note = _disagreement(colour, image_colour, comparable)
    if note:
        return None, note, None
    plane = "x = 0" if abs(mirror.normal[0]) == 1 and mirror.offset == 0 else "a plane found"
    other = f" as frame {mirror.target + 1}" if mirror.target != mirror.source else ""
    frames = f"frame {mirror.source + 1}{other}"
    note = f"symmetric about {plane} ({frames}, distance {mirror.distance / surface.half_box:.4f})"
    if len(comparable) < _PAIRS:
        note += "; too little of both sides is seen to compare their colours, so look at the side that was filled in"
    return mirror, note, (image_colour, there, image[:, 4] / np.maximum(image[:, 3], 1e-6) * (there > 0))


def _disagreement(colour: np.ndarray, image: np.ndarray, rows: np.ndarray) -> str:
    """Why colours of mirror images do not fit each other; empty when they do or too few are seen."""
    if len(rows) < _PAIRS:
        return ""
    difference = np.abs(colour[rows] - image[rows]).mean()
    anyhow = np.abs(colour[rows] - np.roll(image[rows], len(rows) // 2, axis=0)).mean()
    if difference <= max(_ALIKE * anyhow, _CLOSE):
        return ""
    return f"the mesh is symmetric but its colours are not (mirror images differ by {difference:.2f})"


def _bilinear(page: np.ndarray, surface: Surface, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values [P,C] of a page [S,S,C] at points of faces."""
    size = len(page)
    place = (texel_coordinates(surface.cut.uv, size)[surface.faces[face]] * weights[..., None]).sum(axis=1) - 0.5
    first = np.floor(place)
    across, down = (place - first).astype(np.float32).T[..., None]
    left, top = first.astype(np.int64).T
    columns, rows = (np.stack([start, start + 1]).clip(0, size - 1) for start in (left, top))
    upper = page[rows[0], columns[0]] * (1 - across) + page[rows[0], columns[1]] * across
    lower = page[rows[1], columns[0]] * (1 - across) + page[rows[1], columns[1]] * across
    return upper * (1 - down) + lower * down
