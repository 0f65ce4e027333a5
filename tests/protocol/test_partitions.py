"""What region names and bucket names say, by tables of values."""

from __future__ import annotations

import pytest

from s3target.errors import ConfigError
from s3target.protocol.partitions import check_bucket, partition_of

ARN = "arn:aws:s3:us-west-2:123456789012:accesspoint:mine"


@pytest.mark.parametrize(
    ("region", "name", "suffix", "dual_stack"),
    [
        ("us-west-2", "aws", "amazonaws.com", "api.aws"),
        ("mx-central-1", "aws", "amazonaws.com", "api.aws"),
        ("aws-global", "aws", "amazonaws.com", "api.aws"),
        ("mars-north-7", "aws", "amazonaws.com", "api.aws"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        ("aws-cn-global", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com", "api.aws"),
        ("us-iso-east-1", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov"),
        ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"),
        ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
        ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"),
    ],
)
def test_region_belongs_to_a_partition(region, name, suffix, dual_stack):
    """A region is known by its shape; one that is not known counts as aws."""
    assert partition_of(region) == (name, suffix, dual_stack)


@pytest.mark.parametrize(
    "name", ["abc", "a", "Old_Buck.1", "a" * 255, "mine-abc-s3alias", ARN, ARN.replace("t:m", "t/m")]
)
def test_bucket_name_is_accepted(name):
    """botocore's rule: wider than what AWS gives out today."""
    check_bucket(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "1-255"),
        ("a" * 256, "1-255"),
        ("my/bucket", "1-255"),
        ("my bucket", "1-255"),
        ("bücket", "1-255"),
        ("bucket\n", "1-255"),
        ("..", "1-255"),
        ("arn:aws:s3:::bucket", "accesspoint"),
        ("arn:aws:sns:us-west-2:123456789012:accesspoint:mine", "accesspoint"),
        ("arn:aws:s3:us-west-2:123456789012:job/mine", "accesspoint"),
        ("arn:aws:s3:-us:123456789012:accesspoint:mine", "1-63"),
        ("arn:aws:s3:us-west-2:12345:accesspoint:mine", "12 digits"),
        ("arn:aws:s3:us-west-2::accesspoint:mine", "12 digits"),
        (ARN + ":more", "1-63"),
        (ARN + "\n", "accesspoint"),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint:my_point", "1-63"),
        ("arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap", "needs SigV4A"),
        ("arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-01:accesspoint:mine", "Outposts"),
        ("arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint:mine", "Object Lambda"),
        ("buck--usw2-az1--x-s3", "CreateSession"),
        ("mine--usw2-az1--xa-s3", "CreateSession"),
        ("mine-o000000000000--op-s3", "Outposts"),
    ],
)
def test_bucket_name_is_refused(name, reason):
    """What no store can have, and what is not supported, each with the rule."""
    with pytest.raises(ConfigError, match=reason):
        check_bucket(name)
