"""What holds for a person: their own limits before their role's."""

from __future__ import annotations

from paisctl.inventory.people import Limits, Role, User, group_of, limits_of


def test_a_users_own_limits_come_before_those_of_the_role() -> None:
    role = Role(allowed_models=["*"], allow_cloud=True, cloud_budget_monthly=20, ssh=True)
    user = User(id="kid@example.com", role="child", allow_cloud=False, content_filter="strict")
    assert limits_of(user, role) == Limits(
        allowed_models=["*"], allow_cloud=False, cloud_budget_monthly=20, content_filter="strict"
    )


def test_nothing_and_none_are_limits_too() -> None:
    """An empty list and a budget of nothing are said, and not left out."""
    role = Role(allowed_models=["*"], cloud_budget_monthly=20)
    user = User(id="kid@example.com", role="child", allowed_models=[], cloud_budget_monthly=0)
    assert limits_of(user, role) == Limits(allowed_models=[], cloud_budget_monthly=0)


def test_a_roles_group_is_named_after_it_or_by_it() -> None:
    assert group_of("child", Role()) == "child"
    assert group_of("child", Role(group="children")) == "children"
