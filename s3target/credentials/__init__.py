"""Where keys come from: providers that fetch, Refreshing, which keeps and renews, and the default chain of them."""

from __future__ import annotations

from .profiles import Profile, Profiles
from .provider import Anonymous, Passed, Provider, Sources, Static
from .refreshing import Chain, Refreshing
from .roles import assume_role, default_chain

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
