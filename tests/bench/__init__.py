"""The benchmark: s3target beside what users would pick instead, on one server, in one run. See __main__.py."""
