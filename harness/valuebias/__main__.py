"""``python -m valuebias``: the command where its script is not on the path."""

from valuebias.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
