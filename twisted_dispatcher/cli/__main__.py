"""Lets ``python -m twisted_dispatcher.cli`` run the command, also where no script is installed."""

from twisted_dispatcher.cli import main

main()
