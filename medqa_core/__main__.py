"""`python -m medqa_core`: the command `medqa` from a checkout that was not installed."""

from medqa_core.cli.app import main

if __name__ == "__main__":
    main()
