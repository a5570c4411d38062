"""Run by Blender, never by pytest: imports files as a user would and writes down what it then shows.

    python blender_import.py jobs.json                               # an interpreter that imports bpy
    blender --background --python blender_import.py -- jobs.json     # an installed Blender

``jobs.json`` lists {"path", "open", "fps", "seconds", "size", "stills", "out"}; each leaves its ``out``.json and .npz.
Positions are turned back from Blender's z up to y up: (x, y, z) there is (x, z, -y) here.
"""

from __future__ import annotations

import json
import sys
import traceback
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np

FROM_Z_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64)


def set_rate(fps: float, opens: str) -> None:
    """The scene's frame rate, as a user sets it by hand: Blender takes it from no file.

    Blender keeps rates such as 12.5 as whole frames over a base. Its glTF importer multiplies by that base where it
    should divide, so a GLB gets the nearest whole rate: its keys then lie between frames, at the right times.
    """
    render, exact = bpy.context.scene.render, Fraction(fps).limit_denominator(1001)
    if opens == "glb":
        exact = Fraction(round(fps))
    render.fps, render.fps_base = exact.numerator, exact.denominator


def rate() -> float:
    render = bpy.context.scene.render
    return render.fps / render.fps_base


def opened(job: dict) -> None:
    """Import the job's file into an empty scene; those of a folder wait until they are asked for."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if job["open"] == "glb":
        set_rate(job["fps"], job["open"])  # or its keys would be at the frames of another rate
    path = Path(job["path"])
    if job["open"] == "glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif job["open"] == "usd":
        bpy.ops.wm.usd_import(filepath=str(path))
    elif job["open"] in ("pc2", "mdd"):
        open_cache(path, job["open"])


def open_still(path: Path) -> None:
    """One file of a folder, in place of the one before."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing, do_unlink=True)
    if path.suffix == ".obj":
        bpy.ops.wm.obj_import(filepath=str(path))
    elif path.suffix == ".ply":
        bpy.ops.wm.ply_import(filepath=str(path), forward_axis="NEGATIVE_Z", up_axis="Y")
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))


def open_cache(path: Path, kind: str) -> None:
    """The base mesh beside a point cache, with the modifier that plays the cache on it."""
    bpy.ops.wm.obj_import(filepath=str(path.with_suffix(".obj")))
    (base,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    modifier = base.modifiers.new("cache", "MESH_CACHE")
    modifier.cache_format, modifier.filepath = kind.upper(), str(path)
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"  # the modifier's "turn nothing"
    modifier.time_mode = "TIME" if kind == "mdd" else "FRAME"  # an MDD has the seconds of its frames, a PC2 has none
    modifier.frame_start = 0


def shown(seconds: float) -> dict[str, np.ndarray]:
    """What is seen at a time: positions [V,3], corners [F,3] and, where there are any, uv of the corners [F,3,2]."""
    scene = bpy.context.scene
    frame = seconds * rate()
    scene.frame_set(int(frame // 1), subframe=frame % 1)
    graph = bpy.context.evaluated_depsgraph_get()
    parts = [part(thing.evaluated_get(graph)) for thing in scene.objects if is_seen(thing, graph)]
    found = {"positions": np.zeros((0, 3)), "corners": np.zeros((0, 3), np.int64), "uv": np.zeros((0, 3, 2))}
    for positions, corners, uv in parts:
        found["corners"] = np.concatenate([found["corners"], corners + len(found["positions"])])
        found["positions"] = np.concatenate([found["positions"], positions])
        found["uv"] = np.concatenate([found["uv"], uv])
    return found


def is_seen(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> bool:
    """Whether a mesh is visible: not hidden and not shrunk to nothing."""
    if thing.type != "MESH" or not thing.visible_get():
        return False
    return abs(np.linalg.det(np.array(thing.evaluated_get(graph).matrix_world)[:3, :3])) > 1e-30


def part(thing: bpy.types.Object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mesh = thing.to_mesh()
    mesh.calc_loop_triangles()
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", positions)
    corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    loops = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("loops", loops)
    uv = np.zeros((0, 3, 2))
    if mesh.uv_layers.active:
        values = np.empty(2 * len(mesh.loops), np.float32)
        mesh.uv_layers.active.data.foreach_get("uv", values)
        uv = values.reshape(-1, 2)[loops].reshape(-1, 3, 2)
    world = np.array(thing.matrix_world, np.float64)
    positions = positions.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
    thing.to_mesh_clear()
    return positions @ FROM_Z_UP.T, corners.reshape(-1, 3), uv


def texture() -> np.ndarray | None:
    """The picture of the first material, uint8 [H,W,4] with the top row first; None when there is none."""
    pictures = [image for image in bpy.data.images if image.has_data or image.size[0]]
    if not pictures:
        return None
    (width, height), values = pictures[0].size, np.array(pictures[0].pixels[:], np.float64)
    return np.rint(255 * values.reshape(height, width, -1)[::-1]).astype(np.uint8)


def action_range() -> list[float] | None:
    """First and last frame with a key in any action."""
    ranges = [tuple(action.frame_range) for action in bpy.data.actions]
    return [min(low for low, _ in ranges), max(high for _, high in ranges)] if ranges else None


def camera_at(size: list[int]) -> dict | None:
    """Where the first camera is now and looks, in y up, and its vertical field of view in pictures of W x H."""
    graph = bpy.context.evaluated_depsgraph_get()
    for thing in bpy.context.scene.objects:
        if thing.type == "CAMERA":
            found = thing.evaluated_get(graph)
            world = FROM_Z_UP @ np.array(found.matrix_world, np.float64)[:3]
            tangent = 1 / found.calc_matrix_camera(graph, x=size[0], y=size[1])[1][1]
            return {
                "eye": world[:, 3].tolist(),
                "forward": (-world[:, 2] / np.linalg.norm(world[:, 2])).tolist(),
                "fov_degrees": float(2 * np.degrees(np.arctan(tangent))),
            }
    return None


def play(job: dict) -> dict:
    """Import, look at every time, write the arrays; returns the facts."""
    opened(job)
    rate_found = rate()
    set_rate(job["fps"], job["open"])
    arrays, cameras = {}, []
    for number, seconds in enumerate(job["seconds"]):
        if job["stills"]:
            open_still(Path(job["stills"][number]))
        for key, value in shown(seconds).items():
            arrays[f"{key}_{number}"] = value
        cameras.append(camera_at(job["size"]))
    picture = texture()
    if picture is not None:
        arrays["texture"] = picture
    np.savez(job["out"] + ".npz", **arrays)
    scene = bpy.context.scene
    return {
        "program": f"Blender {bpy.app.version_string}",
        "fps": rate(),
        "rate_found": rate_found,
        "scene_range": [scene.frame_start, scene.frame_end],
        "action_range": action_range(),
        "names": sorted(thing.name for thing in scene.objects),
        "cameras": cameras,
    }


def main(jobs_path: str) -> None:
    for job in json.loads(Path(jobs_path).read_text(encoding="utf-8")):
        try:
            facts = play(job)
        except Exception:  # the report carries whatever Blender raised
            facts = {"error": traceback.format_exc()}
        Path(job["out"] + ".json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[-1])
