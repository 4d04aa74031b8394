"""What the comparisons of one stack share: the two states, and the words of a change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from paisctl.desired import Ignored, StackSpec
from paisctl.diagnostics import Mark
from paisctl.history import BROKE_OFF, last_run
from paisctl.manifest import AppliedStack
from paisctl.observed import HostState
from paisctl.operation import Verb
from paisctl.plan import Action, Address, Cause, Change, Disruption
from paisctl.reconcile.operations import Needed
from paisctl.resources.container import Container
from paisctl.resources.file import FileSpec, FileState
from paisctl.secrets import Vault, describe

_WORD = re.compile(r"[a-z0-9]+")
BY_HAND = "changed by hand on the host"
_UNFINISHED = "left by an apply that did not finish"

# What brings a container back that is not well, but not down either.
REVIVALS = {
    "paused": Verb.UNPAUSE,
    "unhealthy": Verb.RESTART,
    "restarting": Verb.RESTART,
}


class Scope(Enum):
    """Which differences are planned, by their causes; nothing is done about the others.

    `PENDING`: what the inventory asks for; what only the host did is left alone. `DRIFT`: what
    only the host did, and nothing that was never applied. `ORPHAN`: what is not wanted any more.
    """

    ALL = frozenset(Cause)
    PENDING = frozenset({Cause.PENDING, Cause.BOTH, Cause.ORPHAN})
    DRIFT = frozenset({Cause.DRIFT})
    ORPHAN = frozenset({Cause.ORPHAN})

    def covers(self, cause: Cause) -> bool:
        return cause in self.value


@dataclass(frozen=True, slots=True)
class Finding:
    """A change with what has to be done for it. Without one: what is done along with others.

    One that is `ignored` is only noted.
    """

    change: Change | None
    needed: Needed = field(default_factory=Needed)
    ignored: Ignored | None = None

    def is_in(self, scope: Scope) -> bool:
        """Whether it is planned."""
        return not self.ignored and (self.change is None or scope.covers(self.change.cause))


class Comparison:
    """One stack on one host, being compared.

    Args:
        spec: the stack as it should be.
        state: the host as it is.
        applied: the stack as it was last applied; None when it never was.
        vault: for keyed digests, and to keep secrets out of words.
        ignored: the differences of the stack that are left alone.
        is_adopting: whether what somebody else has made is gone on with where it is as wanted.
    """

    def __init__(
        self,
        spec: StackSpec,
        state: HostState,
        applied: AppliedStack | None,
        vault: Vault,
        ignored: Sequence[Ignored] = (),
        *,
        is_adopting: bool = False,
    ) -> None:
        self.spec = spec
        self.state = state
        self.applied = applied or AppliedStack(spec.name)
        self.was_applied = applied is not None
        self.vault = vault
        self.is_adopting = is_adopting
        self._ignored = {(each.subject, each.field): each for each in ignored}
        self.address = Address(spec.device, "compose", spec.name)

    @property
    def containers(self) -> list[Container]:
        """The containers of the stack's project, without those a person runs for a while."""
        project = self.spec.project
        return [c for c in self.state.containers if c.project == project and not c.is_one_off]

    def ignored(self, subject: str, field: str = "") -> Ignored | None:
        """Why a difference is left alone; None when it is not."""
        return self._ignored.get((subject, field))

    def ignored_fields(self, service: str) -> set[str]:
        return {field for subject, field in self._ignored if subject == f"service {service}"}

    def containers_of(self, service: str) -> list[Container]:
        """The containers of a service, the one to keep first."""
        spec = self.spec.services.get(service)
        containers = [c for c in self.containers if c.service == service]
        return sorted(
            containers, key=lambda c: (not spec or self.digest_of(c) != spec.digest, c.name)
        )

    def digest_of(self, container: Container) -> str:
        """The digest of the service that a container was made from, or adopted as."""
        return container.digest or self.applied.adopted.get(container.id, "")

    def notice_of(self, file: FileSpec) -> Needed:
        """What has a service take notice of a changed file; what is down reads it at its start."""
        if file.service is None or file.action == "none":
            return Needed()
        containers = self.containers_of(file.service)
        if not containers or file.service in self.spec.resting:
            return Needed()
        if file.action == "recreate":
            return Needed({file.service: Verb.RECREATE})
        reload = Needed(signals={file.service: file.signal or ""})
        restart = Needed({file.service: Verb.RESTART})
        if containers[0].is_well:
            return reload if file.action == "reload" else restart
        verb = REVIVALS.get(containers[0].state)
        if verb is Verb.UNPAUSE and file.action == "reload":
            reload.services[file.service] = verb
            return reload
        return restart if verb else Needed()

    def is_ours(self, container: Container) -> bool:
        """Whether paisctl made a container for the stack, or has taken it over."""
        return container.stack == self.spec.name or container.id in self.applied.adopted

    def how_changed(self, container: Container) -> str:
        """How a container came to differ from what was last applied.

        Its label is of a definition that paisctl had Compose make; by hand, nobody writes one.
        Where a field is ignored, the label may be an old one.
        """
        service = container.service
        recorded = [each.get(service) for each in (self.spec.services, self.applied.services)]
        known = {"", *(each.digest for each in recorded if each)}
        is_ours = self.digest_of(container) not in known and not self.ignored_fields(service)
        return _UNFINISHED if is_ours else BY_HAND

    def how_edited(self, by_hand: str = "edited on the host") -> str:
        """How a file came to differ: nothing tells a person's edit from that of a broken apply."""
        may_be_ours = any(self.how_changed(c) == _UNFINISHED for c in self.containers)
        if may_be_ours or self._broke_off():
            return f"{by_hand}, or {_UNFINISHED}"
        return by_hand

    def _broke_off(self) -> bool:
        """Whether the last run on the host did not do all of this stack, nor undid it."""
        run = last_run(self.state)
        if run is None:
            return False
        return run.outcome == BROKE_OFF or run.stacks.get(self.spec.name) in ("failed", "stranded")

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
