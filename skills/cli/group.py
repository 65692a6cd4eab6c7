"""The group of the command `skills`, and its command `serve`.

Each command calls `SkillService`. Answers, errors and exit statuses are those of `ocilayout.cli`.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ocilayout.cli import Failing, answer, examples, json_option
from ocilayout.cli import access as registry_access
from skills.cli.arguments import service_of
from skills.cli.build import build, builds, init, validate
from skills.cli.installation import install, list_, uninstall
from skills.cli.registries import cache, content, pull, push
from skills.errors import SkillError
from skills.store import STORE_VARIABLE

if TYPE_CHECKING:
    from ocilayout.cli import Access


class _Skills(Failing):
    """A group that reports errors of skills, too, and lists its commands in the order of use."""

    failures = (SkillError, *Failing.failures)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:  # noqa: ANN401 # as click has it
        """Return a command; `ls` is another name of `list`."""
        return super().get_command(ctx, "list" if cmd_name == "ls" else cmd_name)


@click.group(
    cls=_Skills,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "skills init my-skill && skills build my-skill && skills builds",
        "skills install ghcr.io/org/release-notes:v1",
    ),
)
@click.option(
    "--store",
    envvar=STORE_VARIABLE,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the store.",
    show_envvar=True,
)
@click.version_option(package_name="ocilayout")
@click.pass_context
def main(ctx: click.Context, store: Path | None) -> None:
    """Build, keep, share and install agent skills as OCI artifacts."""
    ctx.obj = store


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port to listen on; 0 for any free one.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Another name of the server, such as behind a proxy. May be given again.",
)
@registry_access(reads=False, writes=True)
@json_option
@click.pass_obj
def serve(
    store: Path | None,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    access: Access,
    *,
    as_json: bool,
) -> None:
    """Serve the store and the installed skills over HTTP.

    Requests and answers are those of ToolHive. There is no login: any program that reaches the
    server can build, push and install as you. It listens on loopback unless --host is given, and
    refuses requests from pages of other sites.
    """
    from skills.server import application, bind, server_of, url_of  # noqa: PLC0415 # an extra

    service = service_of(store, access)
    with bind(host, port) as listener:
        if not ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
            click.echo(
                "Warning: any program that reaches this address can build, push and install as you",
                err=True,
            )
        url = url_of(listener)
        answer({"url": url}, f"Serving {url}", as_json=as_json)
        server_of(application(service, hosts=hosts)).run(sockets=[listener])


for _command in (
    init, validate, build, builds, content, push, pull, cache, install, list_, uninstall, serve,
):  # fmt: skip
    main.add_command(_command)

_EXAMPLES: Final = {
    "init": ("./release-notes", "./release-notes -d 'Draft release notes'"),
    "validate": ("./release-notes", "./release-notes --json"),
    "build": ("./release-notes", "./release-notes -t ghcr.io/org/release-notes:v1"),
    "builds": ("", "--json"),
    "builds list": ("", "--json"),
    "builds remove": ("release-notes", "ghcr.io/org/release-notes:v1"),
    "builds adopt": ("release-notes", "ghcr.io/org/release-notes:v1"),
    "content": ("release-notes", "ghcr.io/org/release-notes:v1 --json"),
    "push": ("ghcr.io/org/release-notes:v1", "localhost:5000/release-notes --plain-http"),
    "pull": ("ghcr.io/org/release-notes:v1", "localhost:5000/release-notes --plain-http"),
    "cache": ("", "--json"),
    "cache list": ("", "--json"),
    "cache remove": ("ghcr.io/org/release-notes:v1", "ghcr.io/org/release-notes:v1 --json"),
    "cache prune": ("--dry-run", "--older-than 30d"),
    "install": ("release-notes", "ghcr.io/org/release-notes:v1 --clients claude-code"),
    "list": ("", "--client claude-code"),
    "uninstall": ("release-notes", "release-notes --scope project"),
    "serve": ("", "--port 8080"),
}
"""Two examples of each command, as its arguments."""

for _path, _calls in _EXAMPLES.items():
    _found: Any = main
    for _name in _path.split():
        _found = _found.commands[_name]
    _found.epilog = examples(*(f"skills {_path} {call}".rstrip() for call in _calls))
