"""``python -m scinfill``."""

from scinfill.commands import main

main()
