"""The command line: one file per command, each thin. Heavy imports happen inside the commands."""

import gc
import os
import sys

# Before anything is imported. Modules and an inventory are many objects, none of them garbage: looking
# for some takes a tenth of a plan's processor time.
gc.set_threshold(100_000, 20, 20)
# Threads that talk with hosts wait up to so long until they may go on after an answer: 5 ms by default,
# some fifteen times for each connection.
sys.setswitchinterval(0.0005)
# Looking for plugins of pydantic takes 10 ms; paisctl has none, and wants nobody else's.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
