"""A large texture takes seconds to encode; no format lets a cancel wait for it."""

from __future__ import annotations

import threading

import pytest

from shapegen4d_core.errors import Cancelled
from shapegen4d_core.export import gltf_picture, write_sequence
from shapegen4d_core.rigging import RigSettings
from tests.export.test_mesh_folder import textured

TARGETS = {
    "a.glb": {},
    "rigged.glb": {"rig": RigSettings(joints=2, iterations=1, tries=1)},
    "a.usdz": {},
    "a.usda": {},
    "obj": {"kind": "obj"},
    "glb": {"kind": "glb"},
    "a.pc2": {},
}


@pytest.mark.parametrize("target", TARGETS)
def test_cancel_while_the_texture_is_encoded(tmp_path, monkeypatch, target):
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    encode = gltf_picture._png

    def slowly(texture):
        begun.set()
        go_on.wait(5)
        content = encode(texture)
        ended.set()
        return content

    def check() -> None:
        if begun.is_set():
            assert not ended.is_set(), "the cancel waited for the picture"
            raise Cancelled

    monkeypatch.setattr(gltf_picture, "_png", slowly)
    with pytest.raises(Cancelled):
        write_sequence(textured(3), tmp_path / target, check=check, **TARGETS[target])
    go_on.set()
    assert list(tmp_path.iterdir()) == []
