"""How property tests run on a machine that others use too: nothing fails for being slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))
