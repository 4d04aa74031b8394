"""Entry point of `python3 <directory>/qdrant_standin`.

Started by path, Python puts this directory on the module path; the package and the modules it shares
with the other stand-ins are one directory up.
"""

import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)
runpy.run_module("qdrant_standin.server", run_name="__main__")
