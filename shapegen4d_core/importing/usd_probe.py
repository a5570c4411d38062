"""Run as a program: reads every value of one USD layer, so that a damaged file fails here and nowhere else.

Binary files say how long their arrays are, and the library believes them: a damaged one can take all memory there is.
Text that is nested deeply enough crashes its parser. Neither shall happen in the process of a host.
``python usd_probe.py FILE BYTES`` ends with 0 when all values could be read within that much address space (which
Windows does not limit) and prints nothing. Nothing of this package is imported, so that it starts quickly.
"""

from __future__ import annotations

import importlib
import os
import sys


def limit_memory(size: int) -> None:
    """Let this process have ``size`` bytes of address space where the system can say so."""
    try:
        resource = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, OSError, ValueError):
        return  # then only crashes are kept away, not the use of memory


def read_everything(path: str) -> bool:
    """Whether the layer at ``path`` opens and all its values can be read, one at a time."""
    importlib.import_module("pxr.Usd")  # older releases have the file formats in it
    sdf = importlib.import_module("pxr.Sdf")
    layer = sdf.Layer.FindOrOpen(path)
    if layer is None:
        return False

    def read(place: object) -> None:
        if layer.GetObjectAtPath(place) is None:
            return
        times = layer.ListTimeSamplesForPath(place)
        for time in times:
            layer.QueryTimeSample(place, time)
        spec = layer.GetObjectAtPath(place)
        for key in spec.ListInfoKeys():
            if key != "timeSamples":
                spec.GetInfo(key)

    layer.Traverse(sdf.Path.absoluteRootPath, read)
    return True


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))  # whose modules are none of the library's
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]  # it need not be there, nor be first
    limit_memory(int(sys.argv[2]))
    sys.exit(0 if read_everything(sys.argv[1]) else 1)
