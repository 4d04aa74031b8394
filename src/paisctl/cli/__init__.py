"""The command line: one file per command, each thin. Heavy imports happen inside the commands."""

import gc
import os

# Before anything is imported. Modules and an inventory are many objects, none of them garbage: looking
# for some takes a tenth of a plan's processor time.
gc.set_threshold(100_000, 20, 20)
# Looking for plugins of pydantic takes 10 ms; paisctl has none, and wants nobody else's.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
