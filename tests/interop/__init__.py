"""Server x capability, measured: the same checks through luigi.contrib.s3 on boto3 and through s3target."""
