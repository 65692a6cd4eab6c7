"""The scripts `ocilayout` and `skills`: Ctrl-C ends them quietly while they are being loaded.

This is outside of the packages, so that it comes before everything that they import.
"""

try:
    import signal

    # Not even a library that is interrupted while it is imported can turn this into a traceback.
    # `ocilayout.cli.program` brings KeyboardInterrupt back.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
except KeyboardInterrupt:
    raise SystemExit(130) from None


def ocilayout() -> None:
    """Run the command `ocilayout`."""
    from ocilayout.cli import main  # noqa: PLC0415 # after the signal

    main()


def skills() -> None:
    """Run the command `skills`."""
    from ocilayout.cli.extra import skills  # noqa: PLC0415 # after the signal

    skills()
