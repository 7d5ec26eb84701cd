"""A node dies: 10,000 sessions are cut off at once and resume on another, missing nothing.

Two nodes on one Redis. Each session follows its person's channel and one of 200 offerings.
While publications to both go on, the first node is killed with SIGKILL; the clients come back to
the second as the SDKs do: each after a random pause of up to half a second, giving up when a
command is not answered for 5 s, with a growing pause before the next try. Every session
checks the numbers of everything it gets, before and after: what it recovers and what is live.
``storm_seconds`` is from the kill to the moment when the last session is subscribed again.
``--quick`` does it with 1,000 sessions.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fanout import cpu_seconds
from fanout_ours import Ours, offering, personal
from fanout_peer import on_core
from fanout_wire import CHANNEL, Script, channel_digits, payload, write_scripts
from load import Load, built, more_files
from report import report

from hub.embedded import embedded_servers

OFFERINGS = 200
PER_S = 100  # publications to offerings, each to 50 sessions
PERSONAL_PER_S = 100
BEFORE_SECONDS = 3
MOST_SECONDS = 60


def main() -> None:
    sessions = 1_000 if "--quick" in sys.argv else 10_000
    more_files()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bvester-storm-")))
        program = built(folder)
        with on_core(1):
            addresses = stack.enter_context(embedded_servers(folder / "data", durable=False))
        ours = Ours(folder, addresses.redis_url)
        ours.seed(offering(channel_digits(each)) for each in range(OFFERINGS))
        ours.seed(personal(channel_digits(each)) for each in range(sessions))
        dying = stack.enter_context(ours.running())
        other = stack.enter_context(ours.running())
        load = stack.enter_context(Load(program, folder, dying))
        load.template(1, ours.publication(personal(CHANNEL), payload(1)))
        each = sessions // OFFERINGS
        scripts = [Script(i // each, i, ours.resuming(i, i // each)) for i in range(sessions)]
        resuming = write_scripts(folder / "resuming.scripts", scripts)
        print(f"opening {sessions} sessions", file=sys.stderr)
        opened = load.open(0, OFFERINGS, sessions)["opened"]
        if opened != sessions:
            raise SystemExit(f"{opened} of {sessions} sessions could be opened")
        print("killing their node", file=sys.stderr)
        spent = cpu_seconds(other.pid)
        seen = load(
            "storm", OFFERINGS, PER_S, PERSONAL_PER_S, BEFORE_SECONDS,
            dying.pid, other.port, resuming, MOST_SECONDS,
        )  # fmt: skip
        spent = cpu_seconds(other.pid) - spent
    more = {"sessions": sessions, "live": seen["live"], "retries": seen["retries"]}
    report("storm_seconds", seen["seconds"], "s", half=seen["half_seconds"], **more)
    report("storm_missed", seen["missed"], "publications", unrecovered=seen["unrecovered"])
    report("storm_duplicates", seen["duplicates"], "publications", received=seen["deliveries"])
    report("storm_cpu_s", spent, "s")
    if seen["live"] != sessions:
        raise SystemExit(f"only {seen['live']} of {sessions} sessions came back")


if __name__ == "__main__":
    main()
