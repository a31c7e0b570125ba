"""Imports every module of a generated client: one that can't be imported is found here, not by a user."""

import importlib
import pkgutil


def import_all(package):
    names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    for name in names:
        importlib.import_module(name)
    assert len(names) > 50, f"only {len(names)} modules"
