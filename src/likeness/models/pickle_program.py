"""The part of the pickle language in which a state dict is written, and nothing of the rest.

A pickle is a program. `pickle.Unpickler` runs all of it, within no bounds: nine bytes make it allot gigabytes, a few hundred
make it work for years, and its BUILD overwrites the attributes of what it made before. This machine knows the instructions
that `torch.save` and `torch.jit.save` write (protocols 2 to 5) and makes numbers, texts, lists, tuples, dictionaries and
bare objects; what else is named is the caller's business. Everything is bounded: the program's length, its instructions, and
the length of every number. Keys are texts and small whole numbers, so that nothing nested is ever hashed or compared.
Reference: pickletools.py of Python.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

__all__ = ["PROGRAM_LIMIT", "SCRIPT_CLASS", "Attributes", "PickleError", "ordered_dict", "run_pickle"]

PROGRAM_LIMIT = 16 << 20
"""Longest program in bytes; a GPEN state dict takes under 100 kB, a training state with its optimiser some MB."""

_INSTRUCTIONS = 400_000
"""Most instructions; a GPEN state dict takes under 20,000."""

_LONGEST_NUMBER = 16
"""Bytes of a whole number; PyTorch writes none of more than 10."""

_LARGEST_KEY = 1 << 20
"""Whole numbers are keys in optimisers' states, where they count parameters."""


class PickleError(ValueError):
    """The program is damaged, or does what no state dict needs."""


def ordered_dict(pairs: object = ()) -> OrderedDict[Any, Any]:
    """An OrderedDict as a program makes one: empty, or from a list of pairs (Python 2)."""
    if not isinstance(pairs, (list, tuple)):
        raise PickleError("a dictionary is made of what are no pairs")
    made: OrderedDict[Any, Any] = OrderedDict()
    for pair in cast("list[object] | tuple[object, ...]", pairs):
        if not isinstance(pair, (list, tuple)) or len(cast("tuple[object, ...]", pair)) != 2:
            raise PickleError("a dictionary is made of what are no pairs")
        key, value = cast("tuple[object, object]", pair)
        made[_checked_key(key)] = value
    return made


def _checked_key(key: object) -> object:
    # Hashing nested tuples may take for ever, and other keys may be made to collide.
    if type(key) is str or (isinstance(key, int) and 0 <= key < _LARGEST_KEY):
        return key
    raise PickleError("a key is neither a text nor a small number")


class Attributes(dict[Any, Any]):
    """An object of a class that the program only names, as TorchScript saves its modules: what its attributes are."""


SCRIPT_CLASS = object()
"""Stands for the class of such an object."""


class _Mark(NamedTuple):
    """Stands on the stack for MARK."""


_MARK = _Mark()


def run_pickle(
    program: bytes | memoryview,
    *,
    named: Callable[[str, str], Callable[..., object] | object],
    persistent: Callable[[object], object],
) -> tuple[object, int]:
    """Run a program.

    Args:
        program: begins with it; more may follow.
        named: gives what stands for a module's name, and raises for what may not be named. Where the program calls it, it is
            called with the program's arguments if it is callable.
        persistent: gives what stands for a persistent identifier.

    Returns:
        what the program made, and its length in bytes.

    Raises:
        PickleError: if it is damaged, too long, or asks for what no state dict needs; errors of ``named``, ``persistent``
            and of what they gave are passed on.
    """
    machine = _Machine(memoryview(program)[:PROGRAM_LIMIT], named, persistent)
    try:
        return machine.run(), machine.position
    except (IndexError, struct.error) as error:
        raise PickleError("it is cut short") from error


class _Machine:
    def __init__(
        self, program: memoryview, named: Callable[[str, str], object], persistent: Callable[[object], object]
    ) -> None:
        self.position = 0
        self._program = program
        self._named = named
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        program = self._program
        for _ in range(_INSTRUCTIONS):
            code = program[self.position]
            self.position += 1
            if code == _STOP:
                return self._pop()
            instruction = _TABLE.get(code)
            if instruction is None:
                raise PickleError(f"its instruction {code:#04x} is none that a state dict needs")
            instruction(self)
        raise PickleError(f"it has more than {_INSTRUCTIONS:,} instructions")

    # Reading the program

    def _bytes(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._program):
            raise PickleError("it is cut short")
        found = self._program[self.position : end].tobytes()
        self.position = end
        return found

    def _number(self, form: struct.Struct) -> Any:
        (value,) = form.unpack_from(self._program, self.position)
        self.position += form.size
        return value

    def _line(self) -> str:
        """A name: up to the next line feed, 1,000 bytes at most."""
        piece = self._program[self.position : self.position + 1000].tobytes()
        end = piece.find(b"\n")
        if end < 0:
            raise PickleError("a name has no end")
        self.position += end + 1
        return piece[:end].decode("utf-8", "replace")

    # The stack

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise PickleError("its stack is damaged")
        return value

    def _top(self) -> Any:
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        stack = self._stack
        for index in range(len(stack) - 1, -1, -1):
            if stack[index] is _MARK:
                found = stack[index + 1 :]
                del stack[index:]
                return found
        raise PickleError("its stack is damaged")

    def _tuple(self, count: int) -> None:
        values = tuple(self._pop() for _ in range(count))
        self._stack.append(values[::-1])

    # Instructions

    def _text(self, form: struct.Struct) -> None:
        self._stack.append(self._bytes(self._number(form)).decode("utf-8", "surrogatepass"))

    def _raw(self, form: struct.Struct) -> None:
        self._stack.append(self._bytes(self._number(form)))

    def _whole(self, form: struct.Struct) -> None:
        length = self._number(form)
        if not 0 <= length <= _LONGEST_NUMBER:
            raise PickleError(f"it holds a number of {length:,} bytes")
        self._stack.append(int.from_bytes(self._bytes(length), "little", signed=True))

    def _protocol(self) -> None:
        version = self._number(_U1)
        if version > 5:
            raise PickleError(f"it is of protocol {version}")

    def _frame(self) -> None:
        self._number(_U8)

    def _append(self) -> None:
        self._extend([self._pop()])

    def _appends(self) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise PickleError("it adds to what is no list")
        cast("list[Any]", target).extend(values)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def _set_items(self) -> None:
        self._update(self._since_mark())

    def _update(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) not in (dict, OrderedDict) or len(values) % 2:
            raise PickleError("it adds to what is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            cast("dict[Any, Any]", target)[_checked_key(key)] = value

    def _global(self) -> None:
        module = self._line()
        self._stack.append(self._named(module, self._line()))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise PickleError("a name is no text")
        self._stack.append(self._named(module, name))

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not callable(function) or type(arguments) is not tuple:
            raise PickleError("it calls what cannot be called")
        try:
            self._stack.append(function(*cast("tuple[object, ...]", arguments)))
        except TypeError as error:
            raise PickleError(
                f"it calls a part of a state dict with other arguments than that takes ({error})"
            ) from error

    def _new_object(self) -> None:
        arguments, kind = self._pop(), self._pop()
        if kind is not SCRIPT_CLASS or arguments != ():
            raise PickleError("it makes an object that no state dict holds")
        self._stack.append(Attributes())

    def _build(self) -> None:
        """Attributes for an OrderedDict, as ``_metadata`` of a state dict: left out, as they could hide its own methods."""
        state, target = self._pop(), self._top()
        if type(target) is Attributes and type(state) is dict:
            target.update(cast("dict[Any, Any]", state))  # its keys were checked when it was made
        elif type(target) is not OrderedDict:
            raise PickleError("it changes what it has made before")

    def _remember(self, form: struct.Struct) -> None:
        self._memo[self._number(form)] = self._top()

    def _memoise(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def _recall(self, form: struct.Struct) -> None:
        number = self._number(form)
        if number not in self._memo:
            raise PickleError("it recalls what it has not remembered")
        self._stack.append(self._memo[number])


_U1, _U2, _U4, _U8 = (struct.Struct(form) for form in ("<B", "<H", "<I", "<Q"))
_S4, _F8 = struct.Struct("<i"), struct.Struct(">d")
_STOP = ord(".")

# pyright: reportPrivateUsage=false
_TABLE: Mapping[int, Callable[[_Machine], None]] = {
    0x80: _Machine._protocol,
    0x95: _Machine._frame,
    ord("("): lambda m: m._stack.append(_MARK),
    ord("N"): lambda m: m._stack.append(None),
    0x88: lambda m: m._stack.append(True),
    0x89: lambda m: m._stack.append(False),
    ord("J"): lambda m: m._stack.append(m._number(_S4)),
    ord("K"): lambda m: m._stack.append(m._number(_U1)),
    ord("M"): lambda m: m._stack.append(m._number(_U2)),
    ord("G"): lambda m: m._stack.append(m._number(_F8)),
    0x8A: lambda m: m._whole(_U1),
    0x8B: lambda m: m._whole(_S4),
    ord("X"): lambda m: m._text(_U4),
    0x8C: lambda m: m._text(_U1),
    0x8D: lambda m: m._text(_U8),
    ord("T"): lambda m: m._text(_U4),  # text of Python 2
    ord("U"): lambda m: m._text(_U1),
    ord("B"): lambda m: m._raw(_U4),
    ord("C"): lambda m: m._raw(_U1),
    ord("]"): lambda m: m._stack.append([]),
    ord("}"): lambda m: m._stack.append({}),
    ord(")"): lambda m: m._stack.append(()),
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    ord("t"): lambda m: m._stack.append(tuple(m._since_mark())),
    ord("a"): _Machine._append,
    ord("e"): _Machine._appends,
    ord("s"): _Machine._set_item,
    ord("u"): _Machine._set_items,
    ord("c"): _Machine._global,
    0x93: _Machine._stack_global,
    ord("R"): _Machine._reduce,
    0x81: _Machine._new_object,
    ord("b"): _Machine._build,
    ord("Q"): lambda m: m._stack.append(m._persistent(m._pop())),
    ord("q"): lambda m: m._remember(_U1),
    ord("r"): lambda m: m._remember(_U4),
    0x94: _Machine._memoise,
    ord("h"): lambda m: m._recall(_U1),
    ord("j"): lambda m: m._recall(_U4),
}
"""Instructions by their byte; those that a protocol up to 5 has beyond these make objects that no state dict holds."""
