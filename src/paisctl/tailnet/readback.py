"""Finding out, after a request that got no answer, whether the policy was replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from paisctl.errors import BadPolicy, OutcomeUnknown, PolicyMoved, TailnetError
from paisctl.policy.document import digest
from paisctl.policy.text import read
from paisctl.tailnet.control import ControlPlane

_PAUSES = (0.0, 2.0, 5.0, 10.0)  # seconds before each look: the request may still be under way


def found_out(
    control: ControlPlane,
    text: str,
    etag: str,
    unknown: OutcomeUnknown,
    sleep: Callable[[float], None],
) -> str:
    """The etag of the policy that was set, if it was.

    Args:
        control: whom to ask.
        text: the policy that was to be set.
        etag: of the one before.
        unknown: how the request failed.
        sleep: waits some seconds.

    Raises:
        PolicyMoved: neither of the two is in force.
        OutcomeUnknown: it cannot be read, or the one before is still in force.
    """
    for pause in _PAUSES:
        sleep(pause)
        try:
            live = control.policy()
        except TailnetError as error:
            message = f"{unknown.message}, for it cannot be read: {error.message}"
            raise OutcomeUnknown(message, error.hint) from None
        if fingerprint(live.text) == fingerprint(text):
            return live.etag
        if live.etag != etag:
            raise PolicyMoved
    raise OutcomeUnknown(f"{unknown.message}; the policy is still the one before")


def fingerprint(text: str) -> str:
    """What equal policies have in common, however their texts are laid out and commented.

    Control planes may format what they keep. A text that is no policy to us is its own fingerprint.
    """
    try:
        return digest(read(text))
    except BadPolicy:
        return hashlib.sha256(text.strip().encode(errors="surrogatepass")).hexdigest()
