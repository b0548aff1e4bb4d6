"""Which cluster a command is about."""

import argparse

from drumroll.assembly.home import Home, default_home


def home_of(options: argparse.Namespace) -> Home:
    """The home that the command is about."""
    return Home((options.home or default_home()).expanduser().absolute())
