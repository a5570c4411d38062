"""``python -m shapegen4d_core``: the same as the command ``shapegen4d``."""

import sys

from .cli import main

sys.exit(main())
