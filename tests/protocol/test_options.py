"""boto3's option names become the headers that botocore sends for them."""

from __future__ import annotations

import botocore.session
import pytest

from s3target.protocol.options import COPY, DOWNLOAD, UPLOAD, headers_for

ELSEWHERE = {"Metadata", "VersionId"}  # many headers; no header
OPERATIONS = (
    *("AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload"),
    *("GetObject", "HeadObject", "PutObject", "UploadPart", "UploadPartCopy"),
)


@pytest.fixture(scope="module")
def model():
    return botocore.session.get_session().get_service_model("s3")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_header_of_every_option(model, operation):
    """By botocore's model of the operation. A header of options that it does not take is not sent at all."""
    members = model.operation_model(operation).input_shape.members
    options = (UPLOAD | COPY | DOWNLOAD | {"ChecksumMode"}) - ELSEWHERE
    sent = {name: next(iter(headers_for(operation, {name: "x"})), None) for name in options}
    told = {name: members[name].serialization["name"].lower() for name, header in sent.items() if header}
    assert told == {name: header for name, header in sent.items() if header}
    assert {"RequestPayer", "ExpectedBucketOwner"} <= told.keys()
