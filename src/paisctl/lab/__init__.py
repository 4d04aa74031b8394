"""The lab: a copy of a fleet made of containers, each with its own sshd and Docker engine.

It starts one container per device, fills each engine with the images that the device's stacks
need, and writes an inventory overlay, so that plan and apply can be rehearsed without touching a
real machine. `lab.py` has the steps in order.
"""
