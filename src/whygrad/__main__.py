"""``python -m whygrad``, the same as ``whygrad``."""

from whygrad.cli import main

if __name__ == "__main__":
    main()
