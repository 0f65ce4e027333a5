"""Frozen values: what they share with dataclasses, and named tuples."""

from __future__ import annotations

import copy
import pickle
import runpy
from typing import ClassVar

import pytest

from s3target import value as value_module
from s3target.value import NamedTuple, dataclass, field, replace


@dataclass(frozen=True)
class Point:
    kind: ClassVar[str] = "point"
    x: int
    y: int = 0
    tags: dict[str, str] = field(default_factory=dict, repr=False)
    note: str = field(default="", compare=False)


@dataclass(frozen=True)
class Named(Point):
    name: str = "?"

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is negative")


class Doubled(Point):
    def __init__(self, x: int) -> None:
        super().__init__(2 * x)

    def __repr__(self) -> str:
        return f"2 * {self.x // 2}"


class Spot(NamedTuple):
    """A place."""

    x: int
    y: int = 0

    @property
    def far(self) -> bool:
        return self.x > 9

    def __str__(self) -> str:
        return f"{self.x}/{self.y}"


class Corner(Spot):
    def __new__(cls, x: int) -> Corner:
        return super().__new__(cls, x + 1)


class Nothing(NamedTuple):
    """A tuple that is empty."""


def test_values_compare_by_class_and_fields():
    """Fields with compare=False do not count; a value of another class is never equal."""
    assert Point(1, note="a") == Point(1, 0, note="b")
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert Point(1) != (1, 0)


def test_values_are_frozen():
    """Neither assignment nor deletion."""
    point = Point(1)
    with pytest.raises(AttributeError, match="'x'"):
        point.x = 2
    with pytest.raises(AttributeError, match="'x'"):
        del point.x
    assert point.x == 1


def test_defaults_made_anew_are_not_shared():
    """One dict for each value."""
    assert Point(1).tags is not Point(1).tags
    assert Point(1).tags == {}


def test_fields_of_a_base_come_first():
    """Also where the derived class is used before its base."""
    value = Named(1, 2, {}, "note", "me")
    assert (value.x, value.y, value.note, value.name) == (1, 2, "note", "me")
    assert Named.__match_args__ == ("x", "y", "tags", "note", "name")
    with pytest.raises(ValueError, match="negative"):
        Named(-1)


def test_wrong_arguments_are_type_errors():
    """As for any function."""
    with pytest.raises(TypeError, match="x"):
        Point()
    with pytest.raises(TypeError, match="z"):
        Point(1, z=1)


def test_values_print_pickle_and_copy():
    """repr() leaves out what has repr=False."""
    value = Named(1, tags={"a": "b"}, name="me")
    assert repr(value) == "Named(x=1, y=0, note='', name='me')"
    assert pickle.loads(pickle.dumps(value)) == value == copy.deepcopy(value)


def test_values_without_dicts_hash():
    """As the tuple of their fields does."""

    @dataclass(frozen=True)
    class Pair:
        a: int
        b: int = 2

    assert len({Pair(1), Pair(1, 2), Pair(2)}) == 2
    (hashed,) = {Pair(1)}
    assert copy.copy(hashed).__dict__ == {"a": 1, "b": 2}  # another process, after pickling, hashes text differently
    with pytest.raises(TypeError):
        hash(Point(1))


def test_a_derived_class_may_make_its_values_itself():
    """The first one too, which finds nothing compiled."""
    assert (Doubled(2), repr(Doubled(2)), Corner(1)) == (Doubled(2), "2 * 2", (2, 0))
    assert Doubled(3).x == 6


def test_replace_gives_another_value():
    """The old one stays as it is; what __post_init__ checks is checked again."""
    value = Named(1)
    assert replace(value, y=5) == Named(1, 5)
    assert value.y == 0
    with pytest.raises(ValueError, match="negative"):
        replace(value, x=-1)


def test_match_statements_see_fields():
    """By position and by name."""
    match Point(1, 2):
        case Point(x, y=2):
            assert x == 1
        case _:
            pytest.fail("no match")


def test_named_tuples_are_as_those_of_typing():
    """Fields, defaults, methods, docstring; they unpack, pickle, match, and may have no field."""
    spot = Spot(10)
    assert (*spot, str(spot), spot.far, repr(spot)) == (10, 0, "10/0", True, "Spot(x=10, y=0)")
    assert (Spot.__doc__, Spot.__module__, isinstance(spot, tuple)) == ("A place.", __name__, True)
    assert not hasattr(spot, "__dict__")
    assert spot._replace(y=1) == pickle.loads(pickle.dumps(Spot(10, 1))) == (10, 1)
    with pytest.raises(TypeError, match="'x'"):
        Spot()
    match Nothing(), spot:
        case Nothing(), Spot(x, y=y):
            assert (x, y) == (10, 0)
        case _:
            pytest.fail("no match")


def test_named_tuples_without_the_getter_of_cpython(monkeypatch: pytest.MonkeyPatch):
    """Other interpreters have none in C."""
    monkeypatch.delattr("_collections._tuplegetter")

    class Pair(runpy.run_path(value_module.__file__)["NamedTuple"]):
        a: int
        b: int

    assert (Pair(1, 2).a, Pair(1, 2).b) == (1, 2)
