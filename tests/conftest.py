"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples in every run, so that a failure is everybody's; no deadline on shared machines.
settings.register_profile(
    "paisctl", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("paisctl")
