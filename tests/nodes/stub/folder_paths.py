"""Folders of the host; a test points ``base`` at a scratch folder."""

from __future__ import annotations

import os

models_dir = ""
output_directory = ""
input_directory = ""
temp_directory = ""
_folders: dict[str, list[str]] = {}


def set_base(base: str) -> None:
    """Use the folders of ``base`` from now on."""
    global models_dir, output_directory, input_directory, temp_directory
    models_dir, output_directory = os.path.join(base, "models"), os.path.join(base, "output")
    input_directory, temp_directory = os.path.join(base, "input"), os.path.join(base, "temp")
    _folders.clear()


def add_model_folder_path(name: str, path: str) -> None:
    """Make a folder known under a kind of model."""
    _folders.setdefault(name, []).append(path)


def get_folder_paths(name: str) -> list[str]:
    """All folders of a kind."""
    return list(_folders[name])


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
