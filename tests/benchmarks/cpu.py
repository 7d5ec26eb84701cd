"""Who used the processors: CPU seconds of this process and of all that it started."""

import os
from pathlib import Path

__all__ = ["CpuSplit"]

_TICK = os.sysconf("SC_CLK_TCK")


class CpuSplit:
    """Counts from its making; ``of(seconds)`` says how many cores each program kept busy."""

    def __init__(self, **named: int) -> None:
        """``named`` are processes to be shown under a name of their own, by their id."""
        self._named = {pid: name for name, pid in {"client": os.getpid(), **named}.items()}
        self._before = self._read()

    def of(self, seconds: float) -> dict[str, float]:
        """Cores kept busy since the start, per program."""
        used: dict[str, float] = {}
        for pid, (name, spent) in self._read().items():
            spent -= self._before.get(pid, (name, 0.0))[1]
            used[name] = used.get(name, 0.0) + spent
        return {name: round(spent / seconds, 2) for name, spent in sorted(used.items())}

    def _read(self) -> dict[int, tuple[str, float]]:
        found: dict[int, tuple[str, int, float]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                head, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:  # it has ended
                continue
            fields = rest.split()
            spent = (int(fields[11]) + int(fields[12])) / _TICK
            found[int(folder.name)] = (head.partition("(")[2], int(fields[1]), spent)
        ours = {os.getpid()}
        for _ in range(4):  # children, and theirs
            ours |= {pid for pid, (_, parent, _) in found.items() if parent in ours}
        return {
            pid: (self._named.get(pid, found[pid][0]), found[pid][2]) for pid in ours & found.keys()
        }
