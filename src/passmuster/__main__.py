"""`python -m passmuster` is `muster`; its version is told without loading anything."""

import sys

from passmuster import __version__


def main() -> None:
    """Run the command and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        print(f"muster, version {__version__}")
        return
    from passmuster import cli

    cli.main()


if __name__ == "__main__":
    main()
