"""`python -m lichen`."""

from lichen.cli import main

main()
