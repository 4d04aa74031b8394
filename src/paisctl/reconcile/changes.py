"""What the comparisons of one stack share: the two states, and the words of a change."""

from __future__ import annotations

import re

from paisctl.desired import StackSpec
from paisctl.diagnostics import Mark
from paisctl.manifest import AppliedStack
from paisctl.observed import HostState
from paisctl.plan import Action, Address, Cause, Change, Disruption
from paisctl.reconcile.operations import Needed
from paisctl.resources.container import Container
from paisctl.resources.file import FileState
from paisctl.secrets import Vault, describe

_WORD = re.compile(r"[a-z0-9]+")
BY_HAND = "changed by hand on the host"


class Comparison:
    """One stack on one host, being compared. `needed` collects what has to be done.

    Args:
        spec: the stack as it should be.
        state: the host as it is.
        applied: the stack as it was last applied; None when it never was.
        vault: for keyed digests, and to keep secrets out of words.
    """

    def __init__(
        self, spec: StackSpec, state: HostState, applied: AppliedStack | None, vault: Vault
    ) -> None:
        self.spec = spec
        self.state = state
        self.applied = applied or AppliedStack(spec.name)
        self.was_applied = applied is not None
        self.vault = vault
        self.needed = Needed()
        self.address = Address(spec.device, "compose", spec.name)

    @property
    def containers(self) -> list[Container]:
        """The containers of the stack's project, without those a person runs for a while."""
        project = self.spec.project
        return [c for c in self.state.containers if c.project == project and not c.is_one_off]

    def file_state(self, path: str) -> FileState | None:
        return self.state.files.get(f"stacks/{self.spec.name}/{path}")

    def change(
        self,
        action: Action,
        subject: str,
        cause: Cause,
        disruption: Disruption = Disruption.NONE,
        *,
        field: str = "",
        values: tuple[str, str] = ("", ""),
        reason: str = "",
        mark: Mark | None = None,
        downloads: str = "",
        diff: str = "",
    ) -> Change:
        """A change of this stack. Its values are cleared of secrets here, for every view."""
        before, after = (describe(self.vault.redact(value)) for value in values)
        return Change(
            self.address,
            action,
            subject,
            cause,
            disruption,
            field,
            before,
            after,
            reason,
            mark,
            downloads,
            diff,
        )

    def asked_by(self, *said: str) -> Mark | None:
        """The line of the inventory behind a pending change: the likeliest of the changed inputs.

        Likely is an input whose name or whose old or new text occurs in what the change says.
        """
        if not self.was_applied:
            return self.spec.mark
        was, words = self.applied.inputs, " ".join(said)

        def likelihood(name: str, now: str) -> int:
            texts = (now, was.get(name, ""))
            return 2 * bool(_stems(name) & _stems(words)) + any(_says(words, t) for t in texts)

        marks = {
            likelihood(name, given.text): given.mark
            for name, given in reversed(list(self.spec.inputs.items()))
            if was.get(name) != given.text and given.mark
        }
        return marks[max(marks)] if marks else self.spec.mark

    @property
    def asked_why(self) -> str:
        """Why rendering gives something else now, when no setting of the inventory changed."""
        was = self.applied.inputs
        same_inputs = all(was.get(n) == i.text for n, i in self.spec.inputs.items())
        if (
            self.was_applied
            and same_inputs
            and self.applied.bundle_digest != self.spec.bundle_digest
        ):
            return f"the bundle {self.spec.name} has changed"
        return ""

    def download(self, image: str) -> str:
        """The image, if the host lacks it."""
        return "" if self.state.image_id(image) else image


def _stems(text: str) -> set[str]:
    """The words of a text; `ports` and `port` are the same."""
    return {word.removesuffix("s") for word in _WORD.findall(text.lower())}


def _says(text: str, value: str) -> bool:
    """Whether a text has a value in it as a whole, so that 2 is not in 2.1."""
    return bool(value and re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", text))
