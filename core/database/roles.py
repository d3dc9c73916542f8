"""Who may do what beyond their own tasks: the roles of people with their rights, and the scopes of tokens.

This is the one place that says so. Whoever asks, asks for a right and never for a role. PostgreSQL's policies have a
copy of READ_EVERYONE, which ``schema`` compares at the start.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Right(Enum):
    """What some people may do beyond their own tasks."""

    READ_EVERYONE = auto()  #: read everybody's tasks, logs and files; today only counted, before a person is deleted
    MANAGE_PEOPLE = auto()  #: invite, disable and delete people, and change their roles
    READ_AUDIT = auto()  #: read the audit trail
    CONFIGURE = auto()  #: is told how to set up the server, and not whom to ask


class Role(StrEnum):
    """What a person may do beyond their own tasks."""

    MEMBER = "member"  #: their own tasks only
    ANALYST = "analyst"  #: is to read everyone's tasks and logs too; until then a member
    ADMIN = "admin"  #: manages people and reads the audit trail

    def may(self, right: Right) -> bool:
        """Whether people of this role have the right."""
        return right in ROLES[self].rights


@dataclass(frozen=True)
class Description:
    """A role as pages show it, and its rights."""

    name: str
    meaning: str
    rights: frozenset[Right] = frozenset()


ROLES = {
    Role.MEMBER: Description("Member", "Their own tasks and nobody else's."),
    Role.ANALYST: Description(
        "Analyst",
        "Will be able to read everybody's tasks and logs. Today it may do what a member may.",
        frozenset({Right.READ_EVERYONE}),
    ),
    Role.ADMIN: Description("Administrator", "Also manages people and reads the audit trail.", frozenset(Right)),
}


def having(right: Right) -> list[Role]:
    """The roles that have a right, in their order."""
    return [role for role in Role if role.may(right)]


class TokenScope(StrEnum):
    """What an API token may do."""

    READ = "read"
    WRITE = "write"
