"""Bytes from strangers, as the decoders of frames and commands meet them first.

``check`` is the target. Its first byte chooses a decoder, the rest is what arrives. Promises:
a decoder gives a result or its own refusal, never another exception; frames come out the same
wherever the network cuts them; what a reader keeps is bounded.

``make fuzz`` runs it under atheris (coverage-guided) from the corpus beside this file;
``test_corpus.py`` runs the corpus through it without.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

from channels.websocket import frames
from channels.websocket.frames import MOST_BYTES, FrameFault, FrameReader, Opcode, close_code
from hub.realtime import JSON, PROTOBUF, Codec, EmulationRequest, codec, codec_protobuf, emulation
from hub.realtime.codec import Malformed
from hub.realtime.protobuf import framing, mapping

__all__ = ["check", "seeds"]

CORPUS = Path(__file__).parent / "corpus"
KINDS = ("frames", "json", "protobuf", "emulation-json", "emulation-octets")
Message = tuple[Opcode, bytes]


def check(data: bytes) -> None:
    """Fails if a decoder breaks a promise."""
    if data:
        CHECKS[data[0] % len(CHECKS)](data[1:])


def _frames(data: bytes) -> None:
    whole, fault = _read(data, len(data) or 1)
    for size in (1, 7):
        assert _read(data, size) == (whole, fault)
    for opcode, payload in whole:
        if opcode is Opcode.CLOSE:
            assert _code_of(payload) in range(1000, 5000)
        elif opcode is Opcode.TEXT:
            payload.decode()
            _decode(JSON, payload)
        elif opcode is Opcode.BINARY:
            _decode(PROTOBUF, payload)


def _read(data: bytes, size: int) -> tuple[list[Message], int]:
    """All messages, and the code of the fault that ended them (0 for none)."""
    reader, messages = FrameReader(), list[Message]()
    for start in range(0, len(data), size):
        try:
            messages += reader.feed(data[start : start + size])
        except FrameFault as fault:
            return _before_the_fault(data), _known(fault)
        assert len(reader._buffer) + len(reader._parts or b"") <= 2 * MOST_BYTES + size + 14
    return messages, 0


def _code_of(payload: bytes) -> int:
    try:
        return close_code(payload)
    except FrameFault as fault:
        return _known(fault)


def _known(fault: FrameFault) -> int:
    assert fault.code in (1002, 1007, 1009)
    return fault.code


def _before_the_fault(data: bytes) -> list[Message]:
    """What completes byte by byte: a whole read loses what came in the fault's own piece."""
    reader, messages = FrameReader(), list[Message]()
    for byte in data:
        try:
            messages += reader.feed(bytes((byte,)))
        except FrameFault:
            break
    return messages


def _decode(by: Codec, data: bytes) -> None:
    try:
        commands = by.decode(data)
    except Malformed:
        return
    assert commands
    assert all(isinstance(command.id, int) for command in commands)


def _emulation(binary: bool) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        try:
            request = EmulationRequest.read(data, binary=binary)
        except ValueError:
            return
        _decode(PROTOBUF if binary else JSON, request.frame)

    return read


CHECKS: tuple[Callable[[bytes], None], ...] = (
    _frames,
    lambda data: _decode(JSON, data),
    lambda data: _decode(PROTOBUF, data),
    _emulation(binary=False),
    _emulation(binary=True),
)


def seeds() -> Iterator[tuple[str, bytes]]:
    """The corpus: a file for each kind, a seed a line, as a JSON string or (binary kinds) hex."""
    for number, kind in enumerate(KINDS):
        for place, line in enumerate((CORPUS / f"{kind}.txt").read_text().splitlines(), 1):
            seed = json.loads(line).encode() if line.startswith('"') else bytes.fromhex(line)
            yield f"{kind}-{place}", bytes((number,)) + seed


def _functions() -> Iterator[FunctionType]:
    """What the fuzzer watches: our decoders, not everything that is loaded."""
    for module in (frames, codec, codec_protobuf, emulation, framing, mapping):
        for member in vars(module).values():
            found = vars(member).values() if isinstance(member, type) else (member,)
            for each in found:
                if isinstance(each, FunctionType) and each.__module__ == module.__name__:
                    yield each


def main() -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed; make fuzz installs it.")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for name, seed in seeds():
            (Path(folder) / name).write_bytes(seed)
        for function in _functions():
            atheris.instrument_func(function)
        atheris.Setup([sys.argv[0], folder, *sys.argv[1:]], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
