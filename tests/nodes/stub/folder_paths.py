"""Folders of the host; a test points ``base`` at a scratch folder."""

from __future__ import annotations

import os

models_dir = ""
output_directory = ""
input_directory = ""
temp_directory = ""
_folders: dict[str, list[str]] = {}
EXTENSIONS = {".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"}


def set_base(base: str) -> None:
    """Use the folders of ``base`` from now on."""
    global models_dir, output_directory, input_directory, temp_directory
    models_dir, output_directory = os.path.join(base, "models"), os.path.join(base, "output")
    input_directory, temp_directory = os.path.join(base, "input"), os.path.join(base, "temp")
    _folders.clear()
    _folders.update({name: [os.path.join(models_dir, name)] for name in ("vae", "clip_vision")})
    _folders["diffusion_models"] = [os.path.join(models_dir, name) for name in ("unet", "diffusion_models")]


def add_model_folder_path(name: str, path: str) -> None:
    """Make a folder known under a kind of model."""
    if path not in _folders.setdefault(name, []):
        _folders[name].append(path)


def get_folder_paths(name: str) -> list[str]:
    """All folders of a kind."""
    return list(_folders[name])


def get_filename_list(name: str) -> list[str]:
    """Files in all folders of a kind, as paths below them; the host keeps to weights where the kind is its own."""
    found = set()
    for root in _folders[name]:
        for folder, _, files in os.walk(root, followlinks=True):
            found |= {os.path.relpath(os.path.join(folder, file), root) for file in files}
    own = name in ("vae", "clip_vision", "diffusion_models")
    return sorted(file for file in found if not own or os.path.splitext(file)[1] in EXTENSIONS)


def get_full_path(name: str, file: str) -> str | None:
    """The first file of this name in the folders of a kind; no name leads out of them."""
    inside = os.path.relpath(os.path.join("/", file), "/")
    paths = (os.path.join(root, inside) for root in _folders[name])
    return next((path for path in paths if os.path.isfile(path)), None)


def get_output_directory() -> str:
    """Where outputs go."""
    return output_directory


def get_input_directory() -> str:
    """Where users put files."""
    return input_directory


def get_temp_directory() -> str:
    """Cleared when the host starts; it need not exist before."""
    return temp_directory


def get_save_image_path(prefix: str, folder: str) -> tuple[str, str, int, str, str]:
    """Folder, file name, next number, sub-folder and prefix; refuses paths that leave ``folder``."""
    subfolder, name = os.path.split(os.path.normpath(prefix))
    full = os.path.join(folder, subfolder)
    if os.path.commonpath([os.path.abspath(folder), os.path.abspath(full)]) != os.path.abspath(folder):
        raise Exception("Saving outside the output folder is not allowed.")
    os.makedirs(full, exist_ok=True)
    taken = [entry for entry in os.listdir(full) if entry.startswith(f"{name}_")]
    return full, name, 1 + len(taken), subfolder, prefix
