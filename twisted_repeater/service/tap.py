"""``twistd repeater``: its options, and the service that they describe."""

from __future__ import annotations

import getopt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NoReturn

from twisted.application.service import IService
from twisted.python import usage

from .._types import Reactor
from .config import read_config
from .demo import DemoService
from .loading import LoadingError
from .option import Form, Option, Written
from .option_values import near, repeater_name
from .options import BY_NAME, OPTIONS
from .parent_process import is_child
from .plan import check as check_all
from .process_number import numbers
from .processes import ProcessesService, command_of
from .reload import let_hangup_end
from .service import CannotStart, RepeaterService
from .settings import ProcessSettings, Reading, SettingsError, WrittenSettings

__all__ = ["Options", "makeService"]


class Options(usage.Options):
    """The options of ``twistd repeater``.

    To parse them imports no code that they name, and no reactor, unless ``--check`` is among them.
    """

    synopsis = "--listen=ENDPOINT --server=ENDPOINT [options] | --config=FILE"

    longdesc = (
        "A proxy that shows each message to your filters. It stands between clients and a server, connects to the "
        "server in the name of each client, and filters pass a message on, drop, replace or answer it. To see it work: "
        "twistd -n repeater --demo"
    )

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.written: dict[str, Written] = {}
        """What was given, by the names of the options."""
        self.settings: ProcessSettings | None = None
        """What the options come to, when they are parsed; ``None`` for ``--demo``."""

    def give(self, option: Option, value: str | bool) -> None:
        """Note that an option is given."""
        if isinstance(value, str) and value.startswith("--") and value[2:].partition("=")[0] in BY_NAME:
            raise usage.UsageError(needs_value(option))  # getopt has taken the next option for the value
        before = self.written.get(option.name)
        if option.form is Form.TEXTS:
            self.written[option.name] = [*(before if isinstance(before, list) else []), str(value)]
        elif before not in (None, value):
            raise usage.UsageError(f"--{option.name} is given twice")
        else:
            self.written[option.name] = value

    def opt_version(self) -> None:
        """Show the version and exit."""
        from ..__main__ import main

        main(["--version"])  # exits, as Twisted's own opt_version does

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the options. See `usage.Options`.

        Raises:
            UsageError: an option is wrong. Under twistd, which prints all its own options for a `UsageError` and the
                reason below them, this ends the process with the reason alone.
        """
        try:
            self._parse(options)
        except usage.UsageError as error:
            if self.parent is None:
                raise
            raise SystemExit(in_lines(error)) from error

    def _parse(self, options: Sequence[str] | None) -> None:
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            cause = error.__context__
            if not isinstance(cause, getopt.GetoptError):
                raise
            raise usage.UsageError(self._unknown(cause)) from error

    def _unknown(self, error: getopt.GetoptError) -> str:
        """Return a message about an option that could not be parsed."""
        is_long = f"--{error.opt}" in error.msg
        written = f"--{error.opt}" if is_long else f"-{error.opt}"
        option = BY_NAME.get(error.opt)
        alike = [name for name in BY_NAME if is_long and name.startswith(error.opt)]
        if option is not None and option.form is Form.FLAG:
            return f"{written} takes no value"
        if option is not None:
            return needs_value(option)
        if len(alike) > 1:
            return f"{written} must be written in full: --{' or --'.join(alike)}"
        if error.opt in getattr(self.parent, "synonyms", ()):
            return f"{written} is an option of twistd: write it before the word repeater"
        return f"{written}: there is no such option{near(error.opt, BY_NAME, '--')}"

    def parseArgs(self, *arguments: str) -> None:
        """Refuse what belongs to no option. See `usage.Options`."""
        if arguments:  # file names, for example, that the shell has put in the place of a pattern
            raise usage.UsageError(f"{arguments[0]!r} belongs to no option; write a pattern in quotes")

    def postOptions(self) -> None:
        """Check the options. See `usage.Options`."""
        if not {"demo", "check"}.isdisjoint(self.written):
            let_hangup_end()
        if "demo" in self.written:
            self._check_demo()
            return
        self.settings = settings_of(self.written)
        if not is_child():
            for number in numbers(self.settings.values["processes"]):
                settings_of(self.written, number)
        if "check" in self.written:
            check(self.settings)

    def _check_demo(self) -> None:
        others = [name for name in self.written if name != "demo"]
        if others:
            raise usage.UsageError(f"--demo must be the only option, without --{others[0]}")
        if self.parent is not None and not self.parent.get("nodaemon", True):
            raise usage.UsageError("--demo needs a terminal: twistd -n repeater --demo")


def needs_value(option: Option) -> str:
    """Return a message about an option without its value."""
    return f"--{option.name} needs a value, such as --{option.name}={option.example}"


def settings_of(written: Mapping[str, Written], number: str | None = None) -> ProcessSettings:
    """Return what options come to.

    Args:
        written: the options.
        number: the number of the process; ``None`` for that of this one.

    Raises:
        SettingsError: they are wrong, or the configuration file is.
    """
    process = {name: value for name, value in written.items() if BY_NAME[name].scope == "process"}
    config = written.get("config")
    others = [name for name in written if name not in process and name not in ("config", "check")]
    if isinstance(config, str):
        if not config:
            raise SettingsError("--config must not be empty")
        if others:
            raise SettingsError(f"--{others[0]} cannot be given with --config: write it in {config}")
        return read_config(config, process, number)
    if not others:
        raise SettingsError("--listen and --server are missing, or --config; see twistd repeater --help")
    reading = Reading(number)
    name = str(written.get("repeater-name", "repeater"))
    repeater = {name: value for name, value in written.items() if BY_NAME[name].scope == "repeater"}
    try:
        repeater_name(name)
    except ValueError as error:
        reading.wrong("--repeater-name", str(error))
    where = "--{}".format
    settings = reading.process(WrittenSettings(process, where), {name: WrittenSettings(repeater, where)})
    return replace(settings, reading=partial(settings_of, written, number))  # for the files that options name


def check(settings: ProcessSettings) -> NoReturn:
    """Load what the settings name, say of each repeater that it is fine, and end the process.

    Raises:
        SettingsError: something cannot be loaded.
    """
    from twisted.internet import reactor

    errors = check_all(settings, reactor)
    if errors:
        raise SettingsError(*errors)
    for repeater in settings.repeaters.values():
        print(f"{repeater.name} is fine: {repeater.values['listen']} to {repeater.values['server']}")
    raise SystemExit(0)


def in_lines(error: SettingsError | usage.UsageError) -> str:
    """Return the lines of an error as they are printed."""
    return "\n".join(f"twistd repeater: {line}" for line in str(error).splitlines())


def makeService(options: Options) -> IService:
    """Make the service that the options describe. See `IServiceMaker`.

    Raises:
        CannotStart: an endpoint, a dialect or a filter cannot be used. It ends the process with one line and status 1.
    """
    from twisted.internet import reactor  # not before: twistd first installs the reactor that ``--reactor`` names

    if options.settings is None:
        return DemoService(reactor)
    try:
        if options.settings.values["processes"] > 1 and not is_child():
            return _parent(options, options.settings, reactor)
        return RepeaterService(options.settings, reactor=reactor, twistd=options.parent)
    except (usage.UsageError, LoadingError) as error:  # twistd expects a UsageError only while options are parsed
        raise CannotStart(f"twistd repeater: {error}") from error


def _parent(options: Options, settings: ProcessSettings, reactor: Reactor) -> IService:
    """Make the service that starts several processes, after all that they load was loaded here."""
    errors = check_all(settings, reactor)
    if errors:
        raise CannotStart(in_lines(SettingsError(*errors)))
    command = command_of(options.written, reactor, options.parent)
    return ProcessesService(settings, command, reactor=reactor, twistd=options.parent)


def _method(option: Option) -> Callable[..., None]:
    """Return the method of an option. Twisted shows its docstring as help, on one line."""

    def value(self: Options, text: str) -> None:
        self.give(option, text)

    def flag(self: Options) -> None:
        self.give(option, True)

    method = flag if option.form is Form.FLAG else value
    method.__doc__ = option.help
    return method


for _option in OPTIONS:  # Twisted looks for the methods in the class
    setattr(Options, f"opt_{_option.name.replace('-', '_')}", _method(_option))
