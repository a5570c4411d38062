"""The colour of every pixel of a rasterised mesh from textures, base colours and vertex colours."""

from __future__ import annotations

import numpy as np

from ...importing.animated_mesh import AnimatedMesh, Material


class Paint:
    """The materials of an animated mesh, with smaller copies of each texture so that none shimmers."""

    def __init__(self, mesh: AnimatedMesh) -> None:
        self.mesh = mesh
        self.levels = [_levels(material) if mesh.uv is not None else None for material in mesh.materials]

    def colours(self, face: np.ndarray, barycentric: np.ndarray, per_face: np.ndarray) -> np.ndarray:
        """sRGB colours [n,3] 0..1 of pixels that show ``face`` [n] at ``barycentric`` [n,3].

        ``per_face`` [F] counts the pixels that each face covers; it decides how coarse a copy of the texture is read.
        """
        mesh, corners = self.mesh, self.mesh.faces[face]
        linear = np.ones((len(face), 3))
        if mesh.colours is not None:
            linear *= (mesh.colours[corners] / 255.0 * barycentric[..., None]).sum(axis=1)
        material_of = mesh.face_material[face]
        for number, material in enumerate(mesh.materials):
            rows = np.flatnonzero(material_of == number)
            if len(rows) == 0:
                continue
            linear[rows] *= np.asarray(material.colour[:3])
            if self.levels[number] is not None:
                uv = (mesh.uv[corners[rows]] * barycentric[rows][..., None]).sum(axis=1)
                linear[rows] *= self._texture(number, face[rows], uv, per_face)
        return to_srgb(linear.clip(0, 1))

    def _texture(self, number: int, face: np.ndarray, uv: np.ndarray, per_face: np.ndarray) -> np.ndarray:
        levels = self.levels[number]
        height, width = levels[0].shape[:2]
        corners = self.mesh.uv[self.mesh.faces[face]].astype(np.float64) * [width, height]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        texels = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
        level = np.log2(np.maximum(texels / np.maximum(per_face[face], 1), 1)) / 2
        level = np.round(level).astype(int).clip(0, len(levels) - 1)
        out = np.empty((len(face), 3))
        for index in np.unique(level):
            rows = level == index
            out[rows] = _bilinear(levels[index], uv[rows])
        return out


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB values 0..1 to linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light 0..1 to sRGB values."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055)


def _levels(material: Material) -> list[np.ndarray] | None:
    """The texture in linear light [H,W,3] and copies of half the size each; None without a texture."""
    if material.texture is None:
        return None
    levels = [to_linear(material.texture[..., :3] / 255.0).astype(np.float32)]
    while min(levels[-1].shape[:2]) >= 2:
        last = levels[-1]
        height, width = last.shape[0] // 2 * 2, last.shape[1] // 2 * 2
        levels.append(last[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3)))
    return levels


def _bilinear(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Colours [n,3] of a texture [H,W,3] at uv [n,2], v down, repeating outside 0..1."""
    height, width = texture.shape[:2]
    x, y = (uv[:, 0] % 1.0) * width - 0.5, (uv[:, 1] % 1.0) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    a, b = (x - left)[:, None], (y - top)[:, None]
    columns = [(left.astype(np.int64) + k) % width for k in (0, 1)]
    rows = [(top.astype(np.int64) + k) % height for k in (0, 1)]
    upper = texture[rows[0], columns[0]] * (1 - a) + texture[rows[0], columns[1]] * a
    lower = texture[rows[1], columns[0]] * (1 - a) + texture[rows[1], columns[1]] * a
    return upper * (1 - b) + lower * b
