"""``python -m twisted_repeater ctl``."""

from __future__ import annotations

import os
import sys

from .._text import printable
from .errors import CtlError
from .parser import PROGRAM, make_parser
from .session import session_of

__all__ = ["main"]

INTERRUPTED = 128 + 2
"""The exit status after Ctrl-C: what shells have for SIGINT."""


def main(arguments: list[str]) -> int:
    """Obey a command.

    Args:
        arguments: what follows ``ctl``.

    Returns:
        The exit status: 0 if all went well, 1 if the administration said no, 2 if it could not be asked.
    """
    options = make_parser().parse_args(arguments)
    try:
        options.run(session_of(options), options)
    except CtlError as error:
        if error.args:
            print(f"{PROGRAM}: {printable(str(error))}", file=sys.stderr)
        return error.status
    except (AttributeError, IndexError, TypeError) as error:  # fields are read all over; only an answer has wrong ones
        why = f"an answer has a field of another kind: is it the administration of another version? ({error})"
        print(f"{PROGRAM}: {printable(why)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has gone, as `head` does: that is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its end
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
