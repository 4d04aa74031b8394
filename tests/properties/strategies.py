"""Inventories that are valid, and values that are not harmless."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

# What can stand in YAML, in an environment variable and in a file: no NUL, no lone surrogates.
NASTY = "\"'\\$`#:{}[]|>&*!%@,-?~= \t\n\r\x7f\x85\u2028éß漢🔑"
texts = st.text(
    st.sampled_from(NASTY + "az09")
    | st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\ue000\ue001"),
    max_size=20,
)
names = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
sizes = st.integers(4, 64).map(lambda n: f"{n}m") | st.sampled_from(["1g", "1536m", "2g"])
durations = st.sampled_from(["5s", "700ms", "1m30s", "9ms", "1h2m3s4ms"])

web = st.fixed_dictionaries(
    {},
    optional={
        "memory": sizes,
        "workers": st.integers(0, 99),
        "interval": durations,
        "restart": st.sampled_from(["no", "always", "on-failure", "on-failure:3"]),
        "labels": st.dictionaries(names, texts, max_size=3),
        "environment": st.dictionaries(names, texts, max_size=3),
        "data": st.sampled_from(["/srv", "/srv/data", "/mnt/two words", "/mnt/é"]),
        "open_files": st.integers(1, 9999),
        "backend": texts,
        "log": texts,
        "jobs": st.lists(texts, max_size=3),
        "motto": texts,
        "worker": st.booleans(),
        "ports": st.fixed_dictionaries({"http": st.integers(1, 65535)}),
        "images": st.fixed_dictionaries(
            {"app": st.fixed_dictionaries({"tag": st.sampled_from(["2.0", "2.1", "3"])})}
        ),
    },
)
# What the inventory may say on top of the fleet of the plan cases; None is a stack that is gone.
overlays = st.fixed_dictionaries(
    {
        "stacks": st.fixed_dictionaries({"web": web}),
        "devices": st.fixed_dictionaries(
            {
                "box": st.fixed_dictionaries(
                    {"stacks": st.fixed_dictionaries({}, optional={"web": web | st.none()})}
                )
            }
        ),
    }
)


def as_yaml(value: Any) -> str:
    """JSON that YAML reads, too: it takes some characters of texts only as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    escape = "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
    return re.sub(escape, lambda match: f"\\u{ord(match[0]):04x}", text)
