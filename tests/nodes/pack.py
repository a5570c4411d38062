"""The pack as a host loads it: under a made-up name, with the stub standing in where ComfyUI is not installed.

The fixtures are those of all tests (``tests/conftest.py``), since a process can load the pack only once.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from tests.nodes.small_model import let_the_field_cross_zero, small_config

ROOT = Path(__file__).resolve().parent.parent.parent
STUB = Path(__file__).resolve().parent / "stub"
PACK_NAME = "pack_under_test"


@pytest.fixture(scope="session")
def pack():
    """The pack's root module."""
    sys.path.insert(0, str(STUB))
    try:
        spec = importlib.util.spec_from_file_location(
            PACK_NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK_NAME] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(STUB))


@pytest.fixture(scope="session")
def core(pack):
    """Import a module of the core as the nodes see it."""
    return lambda name: importlib.import_module(f"{PACK_NAME}.shapegen4d_core.{name}")


@pytest.fixture(scope="session")
def base(pack, core, tmp_path_factory):
    """The host's base folder, with one random model of tiny size in models/shapegen4d/zoo/random."""
    import folder_paths

    folder = tmp_path_factory.mktemp("host")
    folder_paths.set_base(str(folder))
    torch.manual_seed(0)
    models = core("models")
    bundle = models.build(small_config(core))
    for layer in (*bundle.adapter.dual.values(), *bundle.adapter.single.values()):
        torch.nn.init.normal_(layer.proj_out.weight, std=0.2)  # a fresh adapter would do nothing
    let_the_field_cross_zero(bundle.vae)
    models.save(bundle, folder / "models" / "shapegen4d" / "zoo" / "random", dtype=torch.float32)
    return folder


@pytest.fixture(scope="session")
def nodes(pack, base):
    """Node classes by id, after the host's start-up calls."""

    async def start():
        extension = await pack.comfy_entrypoint()
        await extension.on_load()
        return await extension.get_node_list()

    return {node.define_schema().node_id: node for node in asyncio.run(start())}
