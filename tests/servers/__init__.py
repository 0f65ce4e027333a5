"""Real S3 servers on loopback for the tests, and a second opinion on what they hold (signed.py).

Each server is a context manager that yields a Store. Nothing here knows the package's own client.
"""
