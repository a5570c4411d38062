"""The rules of the house: what is declared where, what may import what, and how sources are written."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import shapegen4d_core

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest itself brings tomli
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CORE = sorted((ROOT / "shapegen4d_core").rglob("*.py"))
NODES = sorted((ROOT / "nodes").rglob("*.py"))
SOURCES = sorted(path for folder in ("shapegen4d_core", "nodes", "tests", "benchmarks", ".ci")
                 for path in (ROOT / folder).rglob("*.py")) + [ROOT / "__init__.py"]
LINE_LIMIT, TEST_LINE_LIMIT = 300, 400
ASSET_LIMIT = 16 * 2**20
HOST_MODULES = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "server", "execution", "nodes"}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "torch.save"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirement_name(line: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", line).group().lower().replace("_", "-")


def imported_modules(tree: ast.AST) -> set[str]:
    """Top-level names of all absolute imports, wherever they stand in the file."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_requirements_file_is_the_list_of_runtime_dependencies():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if line] == project()["dependencies"]


def test_torch_is_never_listed():
    listed = list(project()["dependencies"])
    for extra in project()["optional-dependencies"].values():
        listed += extra
    named = {requirement_name(line) for line in listed}
    assert named and not named & {"torch", "torchvision", "torchaudio"}


def test_every_runtime_dependency_is_imported_by_the_core():
    modules = {"scikit-image": "skimage", "pillow": "PIL"}
    used = set().union(*(imported_modules(parse(path)) for path in CORE))
    declared = {requirement_name(line) for line in project()["dependencies"]}
    unused = {name for name in declared if modules.get(name, name.replace("-", "_")) not in used}
    assert not unused, f"declared but never imported: {sorted(unused)}"


def test_versions_agree():
    assert project()["version"] == shapegen4d_core.__version__


def test_licence_is_the_whole_apache_text():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source_is_ascii_and_short(path):
    data = path.read_bytes()
    assert data.isascii(), f"non-ASCII byte at offset {next(i for i, b in enumerate(data) if b > 127)}"
    assert data.count(b"\n") <= (TEST_LINE_LIMIT if "tests" in path.parts else LINE_LIMIT)


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_core_knows_no_host_and_not_its_own_name(path):
    """A host loads the pack under a name of its own choosing, so imports inside the core are relative."""
    assert not imported_modules(parse(path)) & (HOST_MODULES | {"shapegen4d_core"})


@pytest.mark.parametrize("path", CORE + NODES, ids=name_of)
def test_nothing_reads_or_runs_code_from_data(path):
    tree = parse(path)
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & UNSAFE_CALLS
    assert not imported_modules(tree) & UNSAFE_MODULES


@pytest.mark.parametrize("path", CORE + NODES, ids=name_of)
def test_public_names_have_docstrings(path):
    tree = parse(path)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    missing = [node.name for node in public if not ast.get_docstring(node)]
    if tree.body and not ast.get_docstring(tree):
        missing.append("the module")
    assert not missing, f"no docstring: {missing}"


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_node_files_import_nothing_heavy_when_the_host_starts(path):
    """An import that fails at load time would drop every node of the pack, so heavy ones wait for execute."""
    top = set()
    for node in parse(path).body:
        if isinstance(node, ast.Import):
            top |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            top.add("." if node.level == 1 else ".." if node.level else node.module.split(".")[0])
    light = {".", "comfy_api", *sys.stdlib_module_names}
    assert top <= light, f"imported at module level: {sorted(top - light)}"


def test_assets_are_small_and_safetensors():
    weights = {".bin", ".ckpt", ".pt", ".pth", ".pkl", ".npy", ".npz"}
    files = [path for path in (ROOT / "shapegen4d_core" / "assets").rglob("*") if path.is_file()]
    assert not [name_of(path) for path in files if path.suffix in weights]
    assert not [name_of(path) for path in files if path.stat().st_size > ASSET_LIMIT]
