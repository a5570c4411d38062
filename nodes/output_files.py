"""Where a node writes below the host's output folder, under a number of its own."""

from __future__ import annotations

from pathlib import Path

_SUCH_AS = "give a name, or folders and a name, such as 3d/walk"


def place(filename_prefix: str, suffix: str) -> tuple[Path, str]:
    """The path to write for what the user typed, and the folder's name below the output folder.

    The folder is made. Raises ValueError for a prefix that leads elsewhere or names no file.
    """
    import folder_paths

    output = folder_paths.get_output_directory()
    try:
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(filename_prefix, output)
    except OSError as error:
        raise ValueError(
            f"filename_prefix is {filename_prefix!r}, but there is no such folder to write into ({error.strerror}); "
            "choose another."
        ) from error
    except Exception as error:  # the host raises nothing more precise
        raise ValueError(
            f"filename_prefix is {filename_prefix!r}, which is not below ComfyUI's output folder; {_SUCH_AS}."
        ) from error
    if name in ("", ".", ".."):
        raise ValueError(f"filename_prefix is {filename_prefix!r}, which names no file; {_SUCH_AS}.")
    return Path(folder) / f"{name}_{counter:05}_{suffix}", subfolder
