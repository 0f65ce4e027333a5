"""Frozen values and types: the part of `dataclasses` and `typing` that this package uses, under the same names.

Importing dataclasses (with inspect, ast, dis and tokenize behind it) and building some fifty classes by it costs more
time than all else between the start of the interpreter and the first answer of a store. Here a class costs next to
nothing until it is used: its __init__, or __new__ of a named tuple, is compiled when the first value is made. What is
for type checkers alone is nothing to anybody else: to load typing takes a tenth of that time. For type checkers all is
as in the standard library.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
    from typing import Any as Any
    from typing import BinaryIO as BinaryIO
    from typing import ClassVar as ClassVar
    from typing import Generic as Generic
    from typing import NamedTuple as NamedTuple
    from typing import Protocol as Protocol
    from typing import TextIO as TextIO
    from typing import TypeVar as TypeVar
    from typing import cast as cast
    from typing import overload as overload
else:
    try:
        from _collections import _tuplegetter as _getter
    except ImportError:  # as in collections

        def _getter(index, about):
            return property(lambda self: self[index])

    Any = BinaryIO = ClassVar = TextIO = object

    class Generic:
        """Generic[T], or a class of it with types in brackets, is the class itself."""

        __slots__ = ()

        def __class_getitem__(cls, types):
            return cls

    Protocol = Generic

    def TypeVar(name, **_about):
        return name

    def cast(kind, value):
        return value

    def overload(function):
        return function

    _REQUIRED = object()

    class _Field:
        """How a field differs from a plain one. default_factory: makes the default anew for each value."""

        def __init__(self, *, default=_REQUIRED, default_factory=None, repr=True, compare=True):
            self.default, self.default_factory = default, default_factory
            self.repr, self.compare = repr, compare

    field = _Field

    def dataclass(cls=None, *, frozen=True):
        """A class of frozen values: keyword or positional __init__, repr, equality, hash, pickling, matching."""
        if cls is None:
            return dataclass
        fields = {}
        for base in reversed(cls.__mro__[1:]):
            fields.update(base.__dict__.get("__value_fields__", {}))
        for name, annotation in cls.__annotations__.items():
            if not annotation.startswith("ClassVar"):
                given = cls.__dict__.get(name, _REQUIRED)
                fields[name] = given if isinstance(given, _Field) else _Field(default=given)
        cls.__value_fields__ = fields
        cls.__match_args__ = tuple(fields)
        for method in (_first_init, _setattr, _delattr, _repr, _eq, _hash, _getstate):
            name = f"__{method.__name__.split('_')[-1]}__"
            if name not in cls.__dict__:  # what the class defines by itself stays, as with dataclasses
                setattr(cls, name, method)
        return cls

    def _first_init(self, *arguments, **named):
        """Compiles the __init__ of the value's class, and calls it."""
        owner = next(base for base in type(self).__mro__ if "__value_fields__" in base.__dict__)
        owner.__init__ = _compiled(owner)
        owner.__init__(self, *arguments, **named)

    def _compiled(cls):
        scope = {"_required": _REQUIRED}
        parameters, lines = [], []
        for name, field_ in cls.__value_fields__.items():
            value = name
            if field_.default_factory is not None:
                scope[f"_make_{name}"] = field_.default_factory
                parameters.append(f"{name}=_required")
                value = f"_make_{name}() if {name} is _required else {name}"
            elif field_.default is _REQUIRED:
                parameters.append(name)
            else:
                scope[f"_default_{name}"] = field_.default
                parameters.append(f"{name}=_default_{name}")
            lines.append(f" _state[{name!r}] = {value}")
        if hasattr(cls, "__post_init__"):
            lines.append(" self.__post_init__()")
        source = f"def __init__(self, {', '.join(parameters)}):\n _state = self.__dict__\n" + "\n".join(lines)
        exec(source, scope)  # noqa: S102 - made of the names of fields alone
        return scope["__init__"]

    def _setattr(self, name, value):
        raise AttributeError(f"cannot assign to field {name!r}: a {type(self).__name__} is a frozen value")

    def _delattr(self, name):
        raise AttributeError(f"cannot delete field {name!r}: a {type(self).__name__} is a frozen value")

    def _repr(self):
        shown = (name for name, field_ in self.__value_fields__.items() if field_.repr)
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def _compared(self):
        return tuple(getattr(self, name) for name, field_ in self.__value_fields__.items() if field_.compare)

    def _eq(self, other):
        if self is other:
            return True
        return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented

    def _hash(self):
        state = self.__dict__
        if "_hash" not in state:
            state["_hash"] = hash(_compared(self))
        return state["_hash"]

    def _getstate(self):
        # Without the hash: that of text differs from process to process.
        return {name: self.__dict__[name] for name in self.__value_fields__}

    def replace(value, /, **changes):
        """A value like this one but for some fields."""
        return type(value)(**{**_getstate(value), **changes})

    class _Tuple(tuple):
        """What named tuples have in common."""

        __slots__ = ()

        def __new__(cls, *values, **named):
            """Compiles the __new__ of the tuple's class, and calls it."""
            owner = next(base for base in cls.__mro__ if "_fields" in base.__dict__)
            owner.__new__ = staticmethod(_compiled_new(owner))
            return owner.__new__(cls, *values, **named)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, /, **changes):
            return type(self)(**{**self._asdict(), **changes})

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self):
            return tuple(self)

    def _compiled_new(cls):
        scope = {f"_default_{name}": value for name, value in cls._field_defaults.items()}
        scope["_new"] = tuple.__new__
        parameters = [f"{name}=_default_{name}" if name in cls._field_defaults else name for name in cls._fields]
        values = "".join(f"{name}, " for name in cls._fields)
        return eval(f"lambda _cls, {', '.join(parameters)}: _new(_cls, ({values}))", scope)  # noqa: S307 - as above

    class _NamedTupleMeta(type):
        def __new__(mcs, name, bases, scope):
            if not bases:
                return super().__new__(mcs, name, bases, scope)
            fields = tuple(scope.get("__annotations__", ()))
            defaults = {field: scope.pop(field) for field in fields if field in scope}
            names = {"_fields": fields, "__match_args__": fields, "_field_defaults": defaults, "__slots__": ()}
            getters = {field: _getter(index, None) for index, field in enumerate(fields)}
            return type(name, (_Tuple,), {**scope, **names, **getters})

    class NamedTuple(metaclass=_NamedTupleMeta):
        """The base of a class statement that makes a named tuple, with methods if it likes."""
