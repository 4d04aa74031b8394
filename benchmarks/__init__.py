"""Measurements. Each is shown against a floor that was measured in the same run."""
