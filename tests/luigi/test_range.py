"""Luigi's Range tasks on S3: they ask for globs, get the right answer, and cost a handful of requests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

import luigi
import pytest
from luigi.tools.range import RangeByMinutes, RangeDaily, RangeHourly

from connected import Counting
from s3target import BulkComplete, S3Client, S3FlagTarget, S3Target
from s3target.transfer.workers import run_all

START, STOP = date(2023, 2, 1), date(2026, 2, 1)
DAYS = [START + timedelta(days=number) for number in range((STOP - START).days)]
MISSING = {DAYS[0], DAYS[1], date(2024, 2, 29), date(2025, 12, 31), DAYS[-1]}
LATER = int(datetime(2026, 6, 1, tzinfo=timezone.utc).timestamp())

both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


class Daily(luigi.Task):
    """Its output is at `layout`, formatted by the day."""

    day = luigi.DateParameter()
    layout = luigi.Parameter()
    flag = luigi.Parameter(default="")
    client: S3Client

    def output(self) -> S3Target:
        path = self.day.strftime(self.layout)
        return S3FlagTarget(path, None, self.client, self.flag) if self.flag else S3Target(path, client=self.client)


class Hourly(Daily):
    day = luigi.DateHourParameter()


class EveryFiveMinutes(Daily):
    day = luigi.DateMinuteParameter()


def fill(client: S3Client, paths: list[str]) -> None:
    run_all([functools.partial(client.put_string, "", path) for path in paths], threads=16)


def asked(
    kind: Any, of: type[Daily], counted: tuple[S3Client, Counting], layout: str, flag: str = "", **more: Any
) -> Any:
    """The range's missing tasks; of.client is what they are looked for with."""
    client, counter = counted
    of.client = client
    counter.sent.clear()
    span = {"task_limit": 10**6, "now": LATER, "param_name": "day", **more}  # without a name Luigi warns of its default
    return {task.day for task in kind(of=of, of_params={"layout": layout, "flag": flag}, **span).requires()}


daily = functools.partial(asked, RangeDaily, Daily, start=START, stop=STOP, days_back=2000)


@both_stores
@pytest.mark.parametrize(
    "layout",
    ["/data/%Y/%m/%d/out.csv", "/data/%Y-%m-%d/part/out.csv", "/data/%Y-%m-%d.csv", "/%Y/%m/data-%d.csv"],
)
def test_missing_days_of_three_years(counted: tuple[S3Client, Counting], base: str, layout: str) -> None:
    """Exactly those, in at most 50 requests, with other things in the same directories."""
    client, counter = counted
    there = [day for day in DAYS if day not in MISSING]
    fill(client, [base + day.strftime(layout) for day in there])
    fill(client, [f"{base}{day:{layout}}.tmp" for day in MISSING])
    fill(client, [f"{base}/data/readme.txt", f"{base}/data/latest/out.csv", f"{base}/data/2023-02-0x.csv"])
    assert daily(counted, base + layout) == MISSING
    assert len(counter.sent) <= 50, counter.sent


@both_stores
@pytest.mark.parametrize(("layout", "flag"), [("/data/%Y-%m-%d/", "_SUCCESS"), ("/data/%Y/%m/%d/", "_DONE")])
def test_missing_directories_of_three_years(
    counted: tuple[S3Client, Counting], base: str, layout: str, flag: str
) -> None:
    """A directory without its flag is missing, whatever else is in it: files, a marker, another flag."""
    client, counter = counted
    there = [day for day in DAYS if day not in MISSING]
    fill(client, [f"{base}{day:{layout}}{name}" for day in there for name in (flag, "part-00000")])
    other = {"_SUCCESS": "_DONE", "_DONE": "_SUCCESS"}[flag]
    fill(client, [f"{base}{day:{layout}}{name}" for day in MISSING - {DAYS[0]} for name in ("part-00000", other, "")])
    assert daily(counted, base + layout, flag) == MISSING
    assert len(counter.sent) <= 50, counter.sent


@both_stores
def test_missing_directories_without_a_flag(counted: tuple[S3Client, Counting], base: str) -> None:
    """A target whose path ends in "/" is there if anything is in it, or its marker."""
    client, counter = counted
    layout = "/data/%Y-%m-%d/"
    there = [day for day in DAYS[:100] if day not in MISSING]
    fill(client, [f"{base}{day:{layout}}part" for day in there[1:]] + [f"{base}{there[0]:{layout}}"])
    assert daily(counted, base + layout, stop=DAYS[100]) == MISSING & set(DAYS[:100])
    assert len(counter.sent) <= 50, counter.sent


@both_stores
@pytest.mark.parametrize("layout", ["/data/%Y-%m-%d/%H/out.csv", "/data/%Y-%m-%dT%H.csv"])
def test_missing_hours(counted: tuple[S3Client, Counting], base: str, layout: str) -> None:
    """Of sixty days."""
    client, counter = counted
    start = datetime(2025, 11, 20)  # noqa: DTZ001 - Luigi's have no zone
    hours = [start + timedelta(hours=number) for number in range(60 * 24)]
    missing = {hours[0], hours[100], hours[-1]}
    fill(client, [base + hour.strftime(layout) for hour in hours if hour not in missing])
    span = {"start": start, "stop": hours[-1] + timedelta(hours=1), "hours_back": 10**5}
    assert asked(RangeHourly, Hourly, counted, base + layout, **span) == missing
    assert len(counter.sent) <= 50, counter.sent


@both_stores
def test_missing_minutes(counted: tuple[S3Client, Counting], base: str) -> None:
    """Of five days, each five minutes."""
    client, counter = counted
    layout = "/data/%Y-%m-%dT%H%M/out.csv"
    start = datetime(2025, 12, 29)  # noqa: DTZ001 - Luigi's have no zone
    minutes = [start + timedelta(minutes=5 * number) for number in range(5 * 24 * 12)]
    missing = {minutes[0], minutes[100], minutes[-1]}
    fill(client, [base + minute.strftime(layout) for minute in minutes if minute not in missing])
    span = {"start": start, "stop": minutes[-1] + timedelta(minutes=5), "minutes_back": 10**6, "minutes_interval": 5}
    assert asked(RangeByMinutes, EveryFiveMinutes, counted, base + layout, **span) == missing
    assert len(counter.sent) <= 50, counter.sent


@both_stores
def test_a_range_over_a_history_of_much_else(counted: tuple[S3Client, Counting], base: str) -> None:
    """Many files a day that are none of the range's, and years that it does not ask for: still few requests."""
    client, counter = counted
    days = DAYS[:60]
    fill(client, [f"{base}/data/{day}/part-{number:02}" for day in days for number in range(40)])
    fill(client, [f"{base}/data/{day}/out.csv" for day in days if day not in MISSING])
    layout = f"{base}/data/%Y-%m-%d/out.csv"
    assert daily(counted, layout, stop=DAYS[60]) == MISSING & set(days)
    assert len(counter.sent) <= 50, counter.sent


def test_nothing_is_there(counted: tuple[S3Client, Counting], base: str) -> None:
    """All are missing, for some requests."""
    assert daily(counted, f"{base}/data/%Y/%m/%d/out.csv") == set(DAYS)
    assert len(counted[1].sent) <= 15


class Bulk(BulkComplete, Daily):
    """As Daily, but that it answers for its family."""


@both_stores
def test_a_range_asks_the_mixin(counted: tuple[S3Client, Counting], base: str) -> None:
    """Directories without a slash at their end, of which a listing of globs cannot tell, are told by BulkComplete."""
    client, counter = counted
    layout = f"{base}/data/%Y-%m-%d"
    fill(client, [f"{day:{layout}}/part" for day in DAYS if day not in MISSING])
    assert asked(RangeDaily, Bulk, counted, layout, start=START, stop=STOP, days_back=2000) == MISSING
    assert len(counter.sent) <= 50, counter.sent


@pytest.mark.parametrize("view", [lambda client: client, lambda client: client.listing_directories("_SUCCESS")])
def test_a_flagged_view_is_the_same_client(
    counted: tuple[S3Client, Counting], base: str, view: Callable[[S3Client], S3Client]
) -> None:
    """The `fs` of a target that is a directory does all that its client does."""
    client = view(counted[0])
    client.put_string("x", f"{base}/a/_SUCCESS")
    assert client.s3 is counted[0].s3
    assert client.exists(f"{base}/a/_SUCCESS")
    assert list(client.listdir(f"{base}/a")) == [f"{base}/a/_SUCCESS"]
    assert [key.key for key in client.listdir(f"{base}/*", return_key=True)] == ["a/_SUCCESS"]
