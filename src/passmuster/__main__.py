"""`python -m passmuster` is `muster`."""

from passmuster.cli import main

if __name__ == "__main__":
    main()
