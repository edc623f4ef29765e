"""`python -m medqa_core`."""

from medqa_core.cli.app import main

if __name__ == "__main__":
    main()
