"""The command `serve`: the service over HTTP, until a signal ends it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from ocilayout.cli import access as registry_access
from ocilayout.cli import answer, json_option
from skills.cli.option import service_of

if TYPE_CHECKING:
    from pathlib import Path

    from ocilayout.cli import Access


@click.command(epilog="Example: skills serve --port 8080")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port to listen at; 0 for any free one.",
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
def serve(  # as many as there are options
    store: Path | None,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    access: Access,
    *,
    as_json: bool,
) -> None:
    """Serve the store and what is installed over HTTP, as ToolHive does.

    Clients do not log in: any program that reaches it can build, push and install as you. It
    listens at loopback only unless --host says otherwise, and refuses pages of other sites.
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
