"""The tags of an object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

from ...value import dataclass, field
from ..messages import Headers, Request, Response
from .base import Locator, Operation, document, s3_request
from .objects import version_query

Tags = tuple[tuple[str, str], ...]
"""Keys and values, in the store's order."""


@dataclass(frozen=True)
class GetObjectTagging(Operation[Tags]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"""

    bucket: str
    key: str
    headers: Headers = field(default_factory=dict, repr=False)
    version_id: str | None = None

    def request(self, endpoint: Locator) -> Request:
        query = (("tagging", ""), *version_query(self.version_id))
        return s3_request(endpoint, "GET", self, query, self.headers)

    def parse(self, response: Response) -> Tags:
        tag_set = document(response, "Tagging").find("TagSet")
        return tuple((tag.get("Key"), tag.get("Value")) for tag in tag_set.all("Tag")) if tag_set else ()
