"""``python -m blackbox_anon``."""

from blackbox_anon.cli import main

if __name__ == "__main__":
    main()
