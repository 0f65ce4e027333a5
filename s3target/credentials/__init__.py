"""Where keys come from: providers that fetch, Refreshing, the one cache that renews, and the default chain of them.

default_chain(Sources(...)) is what a user of boto3 expects; assume_role() puts a role over any keys.
"""

from __future__ import annotations

from .chain import Chain, default_chain
from .profiles import Profile, Profiles
from .provider import Anonymous, Passed, Provider, Sources, Static
from .refreshing import Refreshing
from .roles import assume_role

__all__ = [
    "Anonymous",
    "Chain",
    "Passed",
    "Profile",
    "Profiles",
    "Provider",
    "Refreshing",
    "Sources",
    "Static",
    "assume_role",
    "default_chain",
]
