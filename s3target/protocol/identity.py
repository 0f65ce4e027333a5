"""Who signs: Credentials, a frozen value that never shows its secrets."""

from __future__ import annotations

from ..value import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """One set of keys. An attempt is signed with one such value whole, so keys of two renewals are never mixed.

    expires_at: seconds since 1970, None for keys that do not expire. source: which provider they came from.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    source: str = ""
