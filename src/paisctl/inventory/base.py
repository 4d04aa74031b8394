"""What all classes of the inventory's model have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Unknown keys are errors, values are taken as they are written, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
