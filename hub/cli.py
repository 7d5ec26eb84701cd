"""``hub``: the commands of an operator and of the Procfile.

Faults the operator can mend are one message and exit code 1, never a traceback.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping

import uvloop

from hub.errors import HubError
from hub.settings import GatewaySettings, Settings
from hub.telemetry import configure_logging

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Parses and runs one command; the process's exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except HubError as fault:
        print(f"hub: {fault.message}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hub", description="Bvester Hub")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], int], about: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(command=run)
        return command

    add("up", _up, "run the whole product here, with demo data")
    web = add("serve", _serve, "run the web process")
    web.add_argument(
        "--only", choices=["realtime"], help="the real-time gateway alone (HUB_REALTIME_CONFIG)"
    )
    web.add_argument("--host", help="instead of HUB_HOST")
    web.add_argument("--port", help="instead of HUB_PORT")
    add("relay", _relay, "run the relay (outbox to Redis)")
    add("worker", _worker, "run the background worker")
    add("sandbox", _sandbox, "run the sandbox providers")
    add("migrate", _migrate, "bring the database's schema up to date")
    add("seed", _seed, "load the demo people, businesses and offerings")
    add("verify", _verify, "prove the ledger and the audit chain")
    add("doctor", _doctor, "say what is configured, reachable and missing")
    add("asyncapi", _asyncapi, "print the AsyncAPI description of the product's events")
    phone = add("phone", _phone, "a feature phone on the terminal (sandbox)")
    phone.add_argument("number", help="the phone's number, as +254700000001")
    return parser


def _settings(given: Mapping[str, str] | None = None) -> Settings:
    settings = Settings.load(given)
    configure_logging(json_lines=settings.environment == "production")
    parent = os.environ.get("HUB_PARENT_PID")  # noqa: TID251 - who started this process is no setting
    if parent:
        from hub.processes import watch_parent

        watch_parent(int(parent))
    return settings


def _up(_: argparse.Namespace) -> int:
    from hub.up import up

    return up(dict(os.environ))  # noqa: TID251 - handed on to the processes it starts


def _serve(options: argparse.Namespace) -> int:
    from hub.serve import serve, serve_gateway

    given = dict(os.environ)  # noqa: TID251 - the options of this command stand over it
    named = {"HUB_HOST": options.host, "HUB_PORT": options.port}
    given |= {name: value for name, value in named.items() if value is not None}
    if options.only is None:
        return serve(_settings(given))
    settings = GatewaySettings.load(given)
    configure_logging(json_lines=settings.production)
    return serve_gateway(settings)


def _relay(_: argparse.Namespace) -> int:
    from workers.run import run_relay

    return uvloop.run(run_relay(_settings()))


def _worker(_: argparse.Namespace) -> int:
    from workers.run import run_worker

    return uvloop.run(run_worker(_settings()))


def _sandbox(_: argparse.Namespace) -> int:
    from hub.serve import serve_sandbox

    return serve_sandbox(_settings())


def _migrate(_: argparse.Namespace) -> int:
    from hub.database import Database
    from hub.migrations import migrate

    async def run(settings: Settings) -> int:
        async with Database.open(settings.database_url, size=2) as database:
            done = await migrate(database)
        print(f"Applied {', '.join(done)}." if done else "The schema is up to date.")
        return 0

    return asyncio.run(run(_settings()))


def _seed(_: argparse.Namespace) -> int:
    from hub.demo import seed

    return uvloop.run(seed(_settings()))


def _verify(_: argparse.Namespace) -> int:
    from hub.doctor import verify

    return uvloop.run(verify(_settings()))


def _doctor(_: argparse.Namespace) -> int:
    from hub.doctor import doctor

    return uvloop.run(doctor())


def _asyncapi(_: argparse.Namespace) -> int:
    from hub.asyncapi import asyncapi_json

    print(asyncapi_json(), end="")
    return 0


def _phone(options: argparse.Namespace) -> int:
    from hub.phone import parse_phone
    from hub.sandbox.terminal import run_phone

    settings = _settings()
    asyncio.run(run_phone(settings.sandbox.url, parse_phone(options.number)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
