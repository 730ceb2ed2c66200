"""The public names: they can be imported, and each is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any, get_origin

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

import twisted_repeater


def public_modules() -> Iterator[ModuleType]:
    """Return the package and every module in it whose name is public."""
    yield twisted_repeater
    for found in pkgutil.walk_packages(twisted_repeater.__path__, "twisted_repeater."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield importlib.import_module(found.name)


def own(value: Any) -> bool:
    """Return whether something is defined in the package."""
    return str(getattr(value, "__module__", "")).startswith("twisted_repeater")


def undocumented_members(value: Any, name: str) -> Iterator[str]:
    """Return the public members of a class or an interface that say nothing of themselves."""
    if isinstance(value, InterfaceClass):
        for member in value.names():
            if not value[member].__doc__:
                yield f"{name}.{member}"
    elif inspect.isclass(value):
        for member, what in vars(value).items():
            what = what.__func__ if isinstance(what, (classmethod, staticmethod)) else what
            if member.startswith("_") or not (inspect.isroutine(what) or isinstance(what, property)):
                continue
            if not inspect.getdoc(what):
                yield f"{name}.{member}"


def undocumented_fields(module: ModuleType, classes: set[str]) -> Iterator[str]:
    """Return the fields of a module's classes, and the members of its enums, without a string below them."""
    for node in ast.parse(inspect.getsource(module)).body:
        if not (isinstance(node, ast.ClassDef) and node.name in classes):
            continue
        for field, below in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                target = field.target.id
            elif isinstance(field, ast.Assign) and isinstance(field.targets[0], ast.Name):
                target = field.targets[0].id
            else:
                continue
            documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if not target.startswith("_") and not documented:
                yield f"{module.__name__}.{node.name}.{target}"


class PublicNamesTests(SynchronousTestCase):
    """What ``from twisted_repeater import …`` gives."""

    def test_promised(self) -> None:
        """The names that the documentation promises are there."""
        promised = (
            "Repeater Limits Side IFilter ICodec ILink Link Filter dialects "
            "PASS_ON DO_NOTHING DROP Send SendBack PassOnAndSendBack "
            "RepeaterError ConnectingError LinkError MultipleVersionsError "
            "ClientIPNotAuthorized HelloTimeout InvalidHello WrongMode ClientNotAllowed DuplicateClient "
            "ServerUnreachable UnexpectedServerName VersionMismatch RefusedByApplication ClientGone "
            "ParseError MarshalingError Disconnected CallbackFailed SlowConsumer"
        )
        self.assertEqual(set(promised.split()) - set(twisted_repeater.__all__), set())
        self.assertIs(twisted_repeater.DROP, twisted_repeater.DO_NOTHING)
        self.assertTrue(callable(twisted_repeater.dialects.int32))

    def test_exported(self) -> None:
        """Every module's ``__all__`` has names that exist, each once."""
        for module in public_modules():
            names = list(getattr(module, "__all__", ()))
            self.assertEqual(len(names), len(set(names)), module.__name__)
            missing = [name for name in names if not hasattr(module, name)]
            self.assertEqual(missing, [], module.__name__)

    def test_every_error(self) -> None:
        """Every error can be imported from the package, and is in the tree of the module's docstring."""
        from twisted_repeater import errors

        for name in errors.__all__:
            self.assertIs(getattr(twisted_repeater, name), getattr(errors, name))
            self.assertTrue(issubclass(getattr(errors, name), twisted_repeater.RepeaterError))
            self.assertIn(name, errors.__doc__ or "")


class DocumentationTests(SynchronousTestCase):
    """Each public name has a description."""

    def test_names(self) -> None:
        """Every public module, class, function and constant has a docstring, and so have their public members."""
        silent = []
        for module in public_modules():
            if not module.__doc__:
                silent.append(module.__name__)
            for name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                documented = vars(value).get("__doc__") if inspect.isclass(value) else inspect.getdoc(value)
                is_alias = get_origin(value) is not None  # which has no room for one when the program runs
                if not documented and not is_alias:
                    silent.append(f"{module.__name__}.{name}")
                if own(value):
                    silent += undocumented_members(value, f"{module.__name__}.{name}")
        self.assertEqual(silent, [])

    def test_fields(self) -> None:
        """Every field of the plain values has a description."""
        from twisted_repeater import model

        classes = {name for name in model.__all__ if name not in ("Side", "Direction")}  # these say it by their names
        self.assertEqual(list(undocumented_fields(model, classes)), [])

    def test_parameters(self) -> None:
        """The parameters of `Repeater.create` and `Repeater.start` are each explained."""
        for method in (twisted_repeater.Repeater.create, twisted_repeater.Repeater.start):
            explained = method.__doc__ or ""
            silent = [name for name in inspect.signature(method).parameters if f"{name}" not in explained]
            self.assertEqual([name for name in silent if name != "self"], [], method.__name__)

    def test_the_judge(self) -> None:
        """The tests above notice a missing description."""

        class Silent:
            field: int = 0

            def method(self) -> None:
                pass

            @property
            def attribute(self) -> int:
                return 0

            @classmethod
            def maker(cls) -> None:
                pass

            def _private(self) -> None:
                pass

        found = list(undocumented_members(Silent, "Silent"))
        self.assertEqual(found, ["Silent.method", "Silent.attribute", "Silent.maker"])
