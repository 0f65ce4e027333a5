"""doctor: what is wrong between here and a bucket, line by line, from settings to permissions.

Each step is a small function from the Patient to a Finding; the steps build on one another, so where one fails that all
others need, the rest is not tried. What is written is one scratch key, which is removed whatever happens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from ...client import Client
from ...composition import connect, resolved
from ...errors import ConfigError
from ..arguments import connection_settings
from ..output import DONE, FAILED, Output
from .finding import Finding, Patient
from .network import answers, certificate, clock, find_address, keys, luigi_cfg, proxy_and_tls, reach, settings_in_use
from .scratch import reads, writes
from .store import access, addressing, identity, lines_to_paste, orphans, region

Step = Callable[[Patient], "Finding | None"]


def doctor(client: Client, output: Output, options: argparse.Namespace) -> int:
    """Find out what is wrong, from the settings to the permissions: each line is OK, fixed (it works all the same,
    but should be set right), failed, or a note; what to do stands below it. Writes and removes one scratch key.

    examples:
      s3target doctor s3://logs/2026/
      s3target doctor --luigi-cfg luigi.cfg s3://logs/        by the settings that the Luigi classes have
      s3target doctor --read-only s3://logs/                  write nothing
    """
    arguments, origin = connection_settings(options)
    # Settled before anything is tried, so that what follows shows them as the user has them.
    settings = resolved(arguments, origin)
    client.close()  # it has the patience of a job, STS included
    patience = {} if "max_attempts" in arguments else {"max_attempts": 2}
    with closing(connect(**arguments, **patience)) as client:
        patient = Patient(client, settings, options.path, read_only=options.read_only)
        return report(examine(patient), output)


def report(findings: Generator[Finding, None, None], output: Output) -> int:
    """Print each as it comes, and which failed. The exit status: FAILED if any step failed."""
    failed = []
    with closing(findings):  # so that the scratch key goes, whatever ends us
        for finding in findings:
            _tell(finding, output)
            if finding.status == "failed":
                failed.append(finding.step)
    _tell(Finding("note", "in short", f"failed: {', '.join(failed)}" if failed else "all is well"), output)
    return FAILED if failed else DONE


def _tell(finding: Finding, output: Output) -> None:
    if output.quiet and finding.status == "failed":
        output.failure(ConfigError("\n".join(finding.lines())))
    for line in [""] if output.json else finding.lines():
        output.tell(line, finding._asdict())


def examine(patient: Patient) -> Generator[Finding, None, None]:
    """All steps in order, as far as they make sense."""
    yield from settings_in_use(patient)
    yield from luigi_cfg(patient)
    reached = False
    credentials = yield from in_turn(patient, [keys])
    network = yield from in_turn(patient, [find_address, reach, proxy_and_tls, certificate, answers, clock])
    if credentials and network:
        yield from in_turn(patient, [identity])
        reached = yield from access(patient)
    if reached:
        yield from in_turn(patient, [region])
        yield from reads(patient) if patient.read_only else writes(patient)
        yield from in_turn(patient, [addressing, orphans])
    if reached or patient.advice:  # settings that do not work are not to be copied
        yield from lines_to_paste(patient)


def in_turn(patient: Patient, steps: Sequence[Step]) -> Generator[Finding, None, bool]:
    """The findings of steps that need each other: the first that fails is the last. Whether none failed."""
    for step in steps:
        finding = step(patient)
        if finding is not None:
            yield finding
            if finding.status == "failed":
                return False
    return True
