"""Policies as text, and back."""

from __future__ import annotations

import json
from typing import Any

import json5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paisctl.errors import BadPolicy
from paisctl.policy import hujson
from paisctl.policy.document import Acl, Grant, Policy, Test, canonical, digest, document
from paisctl.policy.parsing import parsed
from paisctl.policy.text import read, stamp_of, write

FULL = Policy(
    groups={"group:admins": ("admin@example.com",), "group:nobody": ()},
    hosts={"lan": "192.168.1.0/24"},
    tag_owners={"tag:nas": ("group:admins",), "tag:web": ()},
    grants=(
        Grant(src=("group:admins",), dst=("tag:nas",), ip=("tcp:22", "445")),
        Grant(src=("*",), dst=("lan",), ip=("*",), via=("tag:nas",), posture=("posture:new",)),
        Grant(src=("*",), dst=("tag:web",), app={"example.com/cap/x": [{"a": [1, None, True]}]}),
    ),
    acls=(Acl(src=("tag:web",), dst=("tag:nas:2049",), proto="tcp"),),
    ssh=({"action": "check", "src": ["group:admins"], "dst": ["tag:nas"], "users": ["root"]},),
    tests=(Test(src="group:admins", accept=("tag:nas:22",), deny=("tag:web:22",), proto="tcp"),),
    others={"postures": {"posture:new": ["node:tsVersion >= '1.80'"]}, "disableIPv4": False},
)

words = st.text(max_size=8)
names = st.lists(words, max_size=3).map(tuple)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
apps = st.dictionaries(words, values, max_size=2)
policies = st.builds(
    Policy,
    groups=st.dictionaries(words, names, max_size=2),
    hosts=st.dictionaries(words, words, max_size=2),
    tag_owners=st.dictionaries(words, names, max_size=2),
    grants=st.none()
    | st.lists(st.builds(Grant, names, names, names, apps, names, names), max_size=2).map(tuple),
    acls=st.none() | st.lists(st.builds(Acl, names, names, words, names), max_size=2).map(tuple),
    tests=st.lists(st.builds(Test, words, names, names, words, apps), max_size=2).map(tuple),
)


@given(policies, st.lists(words, max_size=2), words)
def test_what_is_written_is_read_again(policy: Policy, heading: list[str], comment: str) -> None:
    comments = {(section, 0): comment for section in ("grants", "acls", "tests", "groups")}
    assert read(write(policy, heading, comments)) == policy


@given(policies)
def test_without_comments_it_is_plain_json(policy: Policy) -> None:
    assert parsed(json.loads(write(policy, stamp=False))) == policy


@given(policies)
def test_the_stamp_is_the_digest_of_what_is_read(policy: Policy) -> None:
    text = write(policy, ["Made from the inventory"])
    assert stamp_of(text) == digest(policy) == digest(read(text))


spaces = st.sampled_from(["", " ", "\n", '// "a": [1,]\n', '/* // " */', "/**/", "\t//*\n"])


@st.composite
def hujson_texts(draw: st.DrawFn, depth: int = 2) -> str:
    """JSON with comments anywhere and commas that trail, or do not."""
    kind = draw(st.sampled_from("[{v" if depth else "v"))
    if kind == "v":
        strings = st.sampled_from(["a // b", "/* c */", ",]", '"', "\\", ""])
        leaves: st.SearchStrategy[Any] = strings | st.integers(-9, 9) | st.booleans() | st.none()
        value = json.dumps(draw(leaves))
    else:
        items = draw(st.lists(hujson_texts(depth - 1), max_size=3))
        if kind == "{":
            items = [f'"{i}"{draw(spaces)}:{item}' for i, item in enumerate(items)]
        trailing = "," + draw(spaces) if items != [] and draw(st.booleans()) else ""
        value = f"{kind}{draw(spaces)}{','.join(items)}{trailing}{']' if kind == '[' else '}'}"
    return f"{draw(spaces)}{value}{draw(spaces)}"


@given(hujson_texts())
def test_hujson_is_read_as_another_parser_reads_it(text: str) -> None:
    assert hujson.loads(text) == json5.loads(text)


def test_how_a_policy_looks() -> None:
    text = write(FULL, ["First", "second"], {("grants", 1): "The home network\nby the NAS"})
    top, rest = text.split("{", 1)
    assert top == f"// First\n// second\n// paisctl: {digest(FULL)}\n"
    assert (
        """
  "grants": [
    {"src": ["group:admins"], "dst": ["tag:nas"], "ip": ["tcp:22", "445"]},
    // The home network
    // by the NAS
    {"""
        in rest
    )
    assert list(document(FULL)) == [
        *("groups", "hosts", "tagOwners", "grants", "acls", "ssh", "disableIPv4", "postures"),
        "tests",
    ]
    assert max(map(len, text.splitlines())) <= 100


def test_long_rules_are_broken_into_lines() -> None:
    long = Policy(grants=(Grant(src=tuple(f"tag:device-{i}" for i in range(20)), dst=("tag:x",)),))
    text = write(long)
    assert max(map(len, text.splitlines())) <= 100
    assert read(text) == long


def test_empty_sections_are_left_out_but_not_empty_rules() -> None:
    assert document(Policy()) == {}
    assert document(Policy(grants=(), acls=())) == {"grants": [], "acls": []}
    assert canonical(Policy(grants=())) == '{"grants":[]}'
    assert read("{}").grants is None
    assert read('{"grants": []}').grants == ()


def test_every_change_changes_the_digest() -> None:
    texts = [
        '{"grants": [{"src": ["a@x"], "dst": ["*"], "ip": ["*"]}]}',
        '{"grants": [{"src": ["a@x"], "dst": ["*"], "ip": ["*"], "new": 1}]}',
        '{"grants": [{"src": ["a@x"], "dst": ["*"], "ip": ["22"]}]}',
        '{"acls": [{"action": "deny", "src": ["a@x"], "dst": ["*:*"]}]}',
        '{"acls": [{"action": "accept", "src": ["a@x"], "dst": ["*:*"]}]}',
        '{"acls": [{"src": ["a@x"], "dst": ["*:*"]}]}',
        '{"tests": [{"src": "a@x", "accept": ["b:1"]}]}',
        '{"tests": [{"src": "a@x", "accept": ["b:1"], "srcPostureAttrs": {"node:os": "linux"}}]}',
        '{"somethingNew": {"a": 1}}',
        '{"grants": []}',
        "{}",
    ]
    assert len({digest(read(text)) for text in texts}) == len(texts)
    assert digest(read(texts[0])) == digest(read(f"// note\n{texts[0][:-1]}, /* x */ }}"))


def test_older_names_are_read() -> None:
    old = '{"ACLs": [{"Action": "accept", "Users": ["*"], "Ports": ["*:*"]}],'
    old += '"Tests": [{"User": "a@x", "Allow": ["b:1"]}], "Groups": {"group:a": ["a@x"]}}'
    policy = read(old)
    assert policy.acls == (Acl(src=("*",), dst=("*:*",)),)
    assert policy.tests == (Test(src="a@x", accept=("b:1",)),)
    assert policy.groups == {"group:a": ("a@x",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the policy is empty"),
        ("  \n", "the policy is empty"),
        (
            '{"a": 1,\n "b" 2}',
            "the policy cannot be read: line 2, column 6: expecting ':' delimiter",
        ),
        ("# no comment\n{}", "the policy cannot be read: line 1, column 1: expecting value"),
        ("{} {}", "the policy cannot be read: line 1, column 4: extra data"),
        ('/* a\n */ {"a": ,}', "the policy cannot be read: line 2, column 12: expecting value"),
        ("[,]", "the policy cannot be read: line 1, column 2: expecting value"),
        ("{,}", "the policy cannot be read: line 1, column 2: expecting property name"),
        ("[1,,]", "the policy cannot be read: line 1, column "),
        ("{'a': 1}", "the policy cannot be read: line 1, column 2: expecting property name"),
        ("{} /* open", "the policy cannot be read: line 1, column 4: extra data"),
        ('{"a": 1, "a": 2}', 'the policy cannot be read: "a" is there twice in one object'),
        ('{"a": NaN}', "the policy cannot be read: JSON has no NaN"),
        ("[" * 100_000, "the policy cannot be read: it is nested too deeply"),
        ("[]", "this is no policy: the policy is not an object"),
        ("null", "this is no policy: the policy is not an object"),
        ('{"grants": {}}', "this is no policy: grants is not a list"),
        ('{"grants": [1]}', "this is no policy: grants[0] is not an object"),
        ('{"grants": [{"src": "*"}]}', "this is no policy: grants[0].src is not a list"),
        ('{"grants": [{"src": [1]}]}', "this is no policy: grants[0].src[0] is not a text"),
        ('{"hosts": {"a": 1}}', "this is no policy: hosts.a is not a text"),
        ('{"groups": {"group:a": "x"}}', "this is no policy: groups.group:a is not a list"),
        ('{"acls": [{"src": [], "Src": []}]}', "this is no policy: acls[0].Src is not the only"),
        ('{"tests": [{"src": ["a"]}]}', "this is no policy: tests[0].src is not a text"),
        ('{"Grants": [], "grants": []}', "this is no policy: grants is not the only one"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadPolicy) as error:
        read(text)
    assert error.value.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("{}", None),
        ("// paisctl: abc\n{}", None),
        (f"// hand\n//paisctl: {'a' * 64}\n\n{{}}", "a" * 64),
        (f"{{}}\n// paisctl: {'a' * 64}", None),
        (f'{{"a": "// paisctl: {"a" * 64}"}}', None),
        ("", None),
    ],
)
def test_only_a_comment_at_the_top_is_a_stamp(text: str, stamp: str | None) -> None:
    assert stamp_of(text) == stamp
