"""Rules for paths of files, inside and outside of containers. Source: pkg/apis/core/validation/validation.go."""

from drumroll.domain.validation.field import Errors, invalid


def validate_no_backsteps(path: str, field: str) -> Errors:
    """A path without "..": it never leads above where it starts."""
    if ".." in path.split("/"):
        yield invalid(field, path, "must not contain '..'")


def validate_local_path(path: str, field: str) -> Errors:
    """A path that stays below where it starts."""
    if path.startswith("/"):
        yield invalid(field, path, "must be a relative path")
    yield from validate_no_backsteps(path, field)


def validate_free_path(path: str, field: str) -> Errors:
    """A local path that a volume of files may have: names that start with ".." are the volume's own."""
    yield from validate_local_path(path, field)
    if path.startswith("..") and not path.startswith("../"):
        yield invalid(field, path, "must not start with '..'")
