"""Run as a program: reads every value of one USD layer, so that a damaged file fails here and nowhere else.

Binary files say how long their arrays are, and the library believes them: a damaged one can take all memory there is.
Text that is nested deeply enough crashes its parser. Neither shall happen in the process of a host.
``python usd_probe.py FILE BYTES`` ends with 0 when all values could be read within that much address space (which
Windows does not limit), with 3 when prims of the layer are also composed of others, and prints nothing. With a third
word it opens the whole stage instead: references to references multiply, and a small file can mean more prims than
fit into memory. Nothing of this package is imported, so that it starts quickly.
"""

from __future__ import annotations

import importlib
import os
import sys

READ, DAMAGED, COMPOSED = 0, 1, 3
_ARCS = {"references", "payload", "inheritPaths", "specializes"}


def limit_memory(size: int) -> None:
    """Let this process have ``size`` bytes of address space where the system can say so."""
    try:
        resource = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, OSError, ValueError):
        return  # then only crashes are kept away, not the use of memory


def read_everything(path: str) -> int:
    """Read all values of the layer at ``path``, one at a time: READ, COMPOSED, or DAMAGED when it does not open."""
    importlib.import_module("pxr.Usd")  # older releases have the file formats in it
    sdf = importlib.import_module("pxr.Sdf")
    layer = sdf.Layer.FindOrOpen(path)
    if layer is None:
        return DAMAGED
    found = set()

    def read(place: object) -> None:
        if layer.GetObjectAtPath(place) is None:
            return
        times = layer.ListTimeSamplesForPath(place)
        for time in times:
            layer.QueryTimeSample(place, time)
        spec = layer.GetObjectAtPath(place)
        for key in spec.ListInfoKeys():
            found.add(key)
            if key != "timeSamples":
                spec.GetInfo(key)

    layer.Traverse(sdf.Path.absoluteRootPath, read)
    return COMPOSED if found & _ARCS else READ


def open_stage(path: str) -> int:
    """Compose the stage at ``path``: READ when that is possible."""
    return READ if importlib.import_module("pxr.Usd").Stage.Open(path) else DAMAGED


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))  # whose modules are none of the library's
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]  # it need not be there, nor be first
    limit_memory(int(sys.argv[2]))
    sys.exit((open_stage if sys.argv[3:] else read_everything)(sys.argv[1]))
