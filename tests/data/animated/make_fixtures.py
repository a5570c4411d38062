"""Makes the converted GLB fixtures from files of the PyPI wheel panda3d 1.10.16 (its folder ``panda3d/models``).

    python make_fixtures.py PATH/TO/panda3d/models OUTPUT_FOLDER

The panda is skinned (up to six joints per vertex, so two sets), hangs below a node with a matrix (z up to y up,
hundredths) and walks; the ripple is a sheet with seven sparse morph targets. No value is changed but by the casts
to float32, the axes and the scale; the panda's picture is reduced.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from egg import Character, character, joint_tracks, local_matrices, morph_tracks, read_egg
from gltf_file import GltfFile
from PIL import Image
from scipy.spatial.transform import Rotation

NOTICE = "Copyright (c) 2008, Carnegie Mellon University. Modified BSD licence, see ATTRIBUTION.md."
TEXTURE_SIZE = 256
PANDA_SCALE = 0.01
UPRIGHT = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)  # z up to y up


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="the folder panda3d/models of the installed wheel")
    parser.add_argument("output", type=Path, help="an existing folder")
    arguments = parser.parse_args()
    write_panda(arguments.models, arguments.output / "panda_walk.glb")
    write_ripple(arguments.models, arguments.output / "ripple.glb")


def write_panda(models: Path, path: Path) -> None:
    """The skinned panda with its walk of 61 frames at 30 per second."""
    panda = character(read_egg(models / "panda-model.egg.pz"))
    tracks, fps = joint_tracks(read_egg(models / "panda-walk4.egg.pz"))
    file = GltfFile("make_fixtures.py", NOTICE)
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.9}
    primitive = {"attributes": _skinned_attributes(file, panda), "indices": _indices(file, panda), "material": 0}
    first = 2  # the node of joint 0
    roots = [first + joint for joint, parent in enumerate(panda.parents) if parent < 0]
    upright = np.diag([PANDA_SCALE] * 3 + [1]) @ UPRIGHT
    file.document |= {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "panda", "children": [1, *roots], "matrix": upright.T.reshape(-1).tolist()},
            {"name": "panda_mesh", "mesh": 0, "skin": 0},
            *_joint_nodes(panda, first),
        ],
        "meshes": [{"name": "panda_mesh", "primitives": [primitive]}],
        "skins": [_skin(file, panda, first)],
        "animations": [_walk(file, panda, tracks, fps, first)],
        "materials": [{"name": "fur", "pbrMetallicRoughness": surface}],
        "images": [file.picture(_small_jpeg(models / "maps" / "panda-model.jpg"), "image/jpeg")],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497}],
        "textures": [{"sampler": 0, "source": 0}],
    }
    file.write(path)


def _skinned_attributes(file: GltfFile, panda: Character) -> dict[str, int]:
    order = np.argsort(-panda.weights, axis=1, kind="stable")[:, :8]
    weights = np.take_along_axis(panda.weights, order, axis=1)
    joints = np.where(weights > 0, order, 0).astype(np.uint8)
    attributes = {
        "POSITION": file.array(panda.positions.astype(np.float32), bounds=True),
        "TEXCOORD_0": file.array(_top_left(panda.uv)),
    }
    for number in range(2):
        part = slice(4 * number, 4 * number + 4)
        attributes[f"JOINTS_{number}"] = file.array(np.ascontiguousarray(joints[:, part]))
        attributes[f"WEIGHTS_{number}"] = file.array(np.ascontiguousarray(weights[:, part].astype(np.float32)))
    return attributes


def _indices(file: GltfFile, mesh: Character) -> int:
    return file.array(mesh.faces.astype(np.uint16).reshape(-1))


def _top_left(uv: np.ndarray) -> np.ndarray:
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).astype(np.float32)


def _joint_nodes(panda: Character, first: int) -> list[dict]:
    nodes = []
    for joint, name in enumerate(panda.names):
        linear = panda.rest[joint][:3, :3]
        scale = np.linalg.norm(linear, axis=0) * np.sign(np.linalg.det(linear))  # mirrored joints: all three negative
        turn = Rotation.from_matrix(linear / scale).as_quat()
        node = {"name": name, "translation": panda.rest[joint][:3, 3].tolist(), "rotation": turn.tolist()}
        node["scale"] = scale.tolist()
        children = [first + child for child, parent in enumerate(panda.parents) if parent == joint]
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _skin(file: GltfFile, panda: Character, first: int) -> dict:
    """The bind pose is the rest pose; the upright node stays outside, so that it turns and scales the skin."""
    bind: list[np.ndarray] = []
    for joint, parent in enumerate(panda.parents):
        bind.append(panda.rest[joint] if parent < 0 else bind[parent] @ panda.rest[joint])
    inverse = np.linalg.inv(np.stack(bind)).transpose(0, 2, 1).astype(np.float32)
    return {"inverseBindMatrices": file.array(inverse), "joints": [first + joint for joint in range(len(bind))]}


def _walk(file: GltfFile, panda: Character, tracks: dict, fps: float, first: int) -> dict:
    frame_count = max(len(values) for track in tracks.values() for values in track.values())
    times = file.array((np.arange(frame_count) / fps).astype(np.float32), bounds=True)
    start = file.array(np.zeros(1, np.float32), bounds=True)
    animation: dict = {"name": "walk", "samplers": [], "channels": []}
    for joint, name in enumerate(panda.names):
        move, turn, scale = local_matrices(tracks[name], frame_count)
        for path, values in (("translation", move), ("rotation", _quaternions(turn)), ("scale", scale)):
            moving = len(np.unique(values.astype(np.float32), axis=0)) > 1
            kept = np.ascontiguousarray((values if moving else values[:1]).astype(np.float32))
            sampler = {"input": times if moving else start, "output": file.array(kept), "interpolation": "LINEAR"}
            target = {"node": first + joint, "path": path}
            animation["channels"].append({"sampler": len(animation["samplers"]), "target": target})
            animation["samplers"].append(sampler)
    return animation


def _quaternions(turns: np.ndarray) -> np.ndarray:
    """Unit quaternions [T,4] (x, y, z, w), each in the half space of the one before it."""
    quaternions = Rotation.from_matrix(turns).as_quat()
    signs = np.sign((quaternions[1:] * quaternions[:-1]).sum(axis=1))
    quaternions[1:] *= np.cumprod(np.where(signs == 0, 1, signs))[:, None]
    return quaternions


def _small_jpeg(path: Path) -> bytes:
    picture = Image.open(path).convert("RGB").resize((TEXTURE_SIZE, TEXTURE_SIZE), Image.LANCZOS)
    content = io.BytesIO()
    picture.save(content, format="JPEG", quality=88)
    return content.getvalue()


def write_ripple(models: Path, path: Path) -> None:
    """The sheet with ripples, 45 frames at 24 per second, y up already applied to the vertices."""
    file_in = read_egg(models / "ripple.egg.pz")
    sheet = character(file_in)
    tracks, fps = morph_tracks(file_in)
    file = GltfFile("make_fixtures.py", NOTICE)
    turn = UPRIGHT[:3, :3].T
    targets = [{"POSITION": file.sparse((moves @ turn).astype(np.float32))} for moves in sheet.morphs.values()]
    weights = np.stack([tracks[name] for name in sheet.morphs], axis=1).astype(np.float32)
    attributes = {
        "POSITION": file.array((sheet.positions @ turn).astype(np.float32), bounds=True),
        "TEXCOORD_0": file.array(_top_left(sheet.uv)),
    }
    primitive = {"attributes": attributes, "indices": _indices(file, sheet), "material": 0, "targets": targets}
    sampler = {
        "input": file.array((np.arange(len(weights)) / fps).astype(np.float32), bounds=True),
        "output": file.array(weights.reshape(-1)),
        "interpolation": "LINEAR",
    }
    channel = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    surface = {"baseColorFactor": [0.2, 0.4, 0.7, 1.0], "metallicFactor": 0.0}
    file.document |= {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "ripple", "mesh": 0}],
        "meshes": [{"name": "ripple", "primitives": [primitive], "weights": [0.0] * len(targets)}],
        "animations": [{"name": "ripple", "samplers": [sampler], "channels": [channel]}],
        "materials": [{"name": "water", "pbrMetallicRoughness": surface, "doubleSided": True}],
    }
    file.write(path)


if __name__ == "__main__":
    main()
