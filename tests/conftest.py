"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The same examples in every run, so that a failure is everybody's; no deadline on shared machines.
settings.register_profile(
    "paisctl", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("paisctl")

# Whoever runs the tests may be signed in to a tailnet: no test may ever reach it.
for name in [name for name in os.environ if name.startswith(("TAILSCALE_", "TS_", "HEADSCALE_"))]:
    del os.environ[name]
