"""Runs benchmarks in turn: ``make bench`` all of them, ``make bench NAME=fanout`` one.

Each prints one JSON object a line; progress goes to standard error.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("fanout", "storm", "invest")


def main(arguments: list[str]) -> int:
    """Runs the one named, or all; the first exit code that is not 0."""
    named = [argument for argument in arguments if not argument.startswith("-")]
    options = [argument for argument in arguments if argument.startswith("-")]
    unknown = set(named) - set(NAMES)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
        return 2
    for name in named or NAMES:
        print(f"benchmark {name} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options], check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
