"""Plans as comments: what is quoted stays a quotation, and a comment is never too long."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paisctl.diagnostics import Diagnostic, Mark, Severity
from paisctl.plan import (
    Action,
    Address,
    Cause,
    Change,
    Disruption,
    HostPlan,
    Plan,
    PolicyPlan,
    Refusal,
    StackPlan,
)
from paisctl.revision import Then
from paisctl.views import markdown

THEN = Then("main", "1a2b3c4d5e6f", (), Path(), ("overlay.yaml is new",))
CHANGE = Change(
    Address("k6", "compose", "redis-cache"),
    Action.UPDATE,
    "service redis",
    Cause.PENDING,
    Disruption.RECREATE,
    "memory limit",
    "8 GiB",
    "6 GiB",
    mark=Mark("inventory/pais.yaml", 136),
)
FILE = replace(
    CHANGE, subject="file redis.conf", field="", before="", after="", diff="--- a\n+++ b\n-x\n+```y"
)
NASTY = [
    "a | b",
    "`tick",
    "``` fence",
    "\\| and \\",
    "<script>x</script>",
    "<!-- end",
    "@octocat did #1",
    "[x](https://example.com) ![i](x)",
    "**bold** _em_ ~no~",
    "one\ntwo\r\n\n# three",
    "</details>",
    ":tada:",
    "\u202etfel",
    "&lt;b&gt;",
]


def plan(*changes: Change, policy: PolicyPlan | None = None) -> Plan:
    return Plan((HostPlan("k6", (StackPlan("redis-cache", changes),)),), policy)


def test_everything_that_a_plan_can_have() -> None:
    hosts = (
        HostPlan("k6", (StackPlan("redis-cache", (CHANGE, FILE)),), ("a note",)),
        HostPlan(
            "m7-1",
            refused=(Refusal(Address("m7-1", "compose", "qdrant"), "together", "one by one"),),
        ),
        HostPlan("m7-2", problem="cannot be reached", hint="is it on?"),
        HostPlan("nas"),
    )
    grant = replace(CHANGE, address=Address("tailnet", "policy", "pais"), subject="grant", field="")
    policy = PolicyPlan((grant,), ("ann → k6: tcp 22",), ("ben → k6: tcp 22",), ("noted",))
    warning = Diagnostic(Severity.WARNING, "w", "it is `so`", Mark("inventory/pais.yaml", 3))
    text = markdown.plan(Plan(hosts, policy), show_diffs=True, then=THEN, warnings=[warning])
    assert (
        text
        == """\
### Plan: 3 to change on 1 of 4 hosts and in the access policy. 1 host could not be planned, 1 stack refused.

Against `main` (`1a2b3c4d5e6f`). Drift and new secrets show on hosts only.

- note: overlay.yaml is new

#### k6

- note: a note

| | What | Change | Why |
|:-:|---|---|---|
| `~` | `redis-cache` service redis memory limit | `8 GiB → 6 GiB` | recreate, inventory/pais.yaml:136 |
| `~` | `redis-cache` file redis.conf |  | recreate, inventory/pais.yaml:136 |

#### m7-1

- **Refused:** `qdrant`: together Hint: one by one

#### m7-2

- **Could not be planned:** cannot be reached Hint: is it on?

#### Access policy

- note: noted

Who gains and who loses access:

```diff
+ ann → k6: tcp 22
- ben → k6: tcp 22
```

<details><summary>1 change of rules</summary>

| | What | Change | Why |
|:-:|---|---|---|
| `~` | grant | `8 GiB → 6 GiB` | recreate, inventory/pais.yaml:136 |

</details>

<details><summary>1 warning of lint</summary>

- it is `so` `inventory/pais.yaml:3`

</details>

<details><summary>k6/redis-cache file redis.conf</summary>

````diff
--- a
+++ b
-x
+```y
````

</details>
"""
    )


def test_nothing_to_do() -> None:
    text = markdown.plan(Plan((HostPlan("k6"),)), then=replace(THEN, notes=()))
    assert text == (
        "### Nothing to do: 1 host as at main.\n\n"
        "Against `main` (`1a2b3c4d5e6f`). Drift and new secrets show on hosts only.\n"
    )
    assert markdown.plan(Plan((HostPlan("k6"),))) == "### Nothing to do: 1 host as wanted.\n"


@pytest.mark.parametrize("nasty", NASTY)
def test_what_is_quoted_is_no_markup(nasty: str) -> None:
    change = replace(CHANGE, subject=nasty, field=nasty, before=nasty, after=f"{nasty} 2")
    change = replace(change, reason=nasty, diff=f"+{nasty}")
    host = HostPlan(
        "k6",
        (StackPlan("x", (change,)),),
        (nasty,),
        refused=(Refusal(change.address, nasty, nasty),),
    )
    policy = PolicyPlan((change,), (nasty,), (nasty,), (nasty,))
    text = markdown.plan(Plan((host,), policy), show_diffs=True)
    outside, rows = outside_of_code(text), 0
    assert not re.search(r"(?<!&)[@#](?!\d+;|### |## |# )\w", outside)
    assert set(re.findall(r"<[^>]*>", outside)) <= {
        "<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>",
    }  # fmt: skip
    assert text.count("<details>") == len(re.findall("(?m)^<details>", text))
    assert not re.search(r"\]\(|:tada:|\u202e|<!--", outside)
    assert "**bold**" not in outside
    assert not re.search("(?m)^# three", outside)
    for line in without_fences(text).splitlines():
        if line.startswith("| `"):
            rows += 1
            assert line.count("|") == 5, line
    assert rows == 2


def test_a_longer_plan_is_cut_where_something_ends() -> None:
    many = [replace(FILE, subject=f"file {n}.conf", diff="+x\n" * 3000) for n in range(20)]
    text = markdown.plan(plan(*many), show_diffs=True, then=THEN)
    assert 60_000 < len(text) <= markdown.LIMIT
    assert text.endswith("\n\n**Cut off here.** All of it: `paisctl plan --base main`\n")
    assert text.count("<details>") == text.count("</details>")
    assert len(re.findall("(?m)^```", text)) % 2 == 0
    assert text.count("| `~` |") == 20


@given(
    lengths=st.lists(st.integers(0, 40_000), max_size=6),
    values=st.lists(st.integers(0, 2000), max_size=60),
)
@settings(max_examples=40)
def test_no_comment_is_too_long(lengths: list[int], values: list[int]) -> None:
    changes = [replace(FILE, diff="+" + "x" * length) for length in lengths]
    changes += [replace(CHANGE, after="|" * length) for length in values]
    text = markdown.plan(plan(*changes), show_diffs=True)
    assert len(text) <= markdown.LIMIT
    assert text.count("<details>") == text.count("</details>")
    assert len(re.findall("(?m)^```", text)) % 2 == 0
    is_whole = text.count("| `~` |") + text.count("<details>") == len(changes) + len(lengths)
    assert is_whole != ("**Cut off here.**" in text)


def without_fences(text: str) -> str:
    return re.sub(r"(?ms)^(`{3,})diff\n.*?^\1$", "", text)


def outside_of_code(text: str) -> str:
    """What is read as Markdown."""
    return re.sub(r"`[^`\n]*`", "", without_fences(text))
