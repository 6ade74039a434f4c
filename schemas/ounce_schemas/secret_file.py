"""A secret comes from the environment or from a file, never from the command line."""

from pathlib import Path

from pydantic import SecretStr


def read_secret(
    variable: str, given: SecretStr | None, option: str, path: Path | None
) -> SecretStr | None:
    """A secret, from wherever it was given; None: from nowhere.

    Editors end files with a line break: it is cut.

    Args:
        variable: name of the variable, for people.
        given: its value.
        option: name of the option that names a file, for people.
        path: the file.

    Raises:
        ValueError: both are given, or the file can't be read or is empty. The secret is not in the
            text.
    """
    if path is None:
        return given
    if given is not None:
        raise ValueError(f"{variable} and {option} are given: which one?")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise ValueError(f"{option} {path}: can't be read: {e.strerror}") from e
    except UnicodeDecodeError:  # its text shows bytes of the file
        raise ValueError(f"{option} {path}: can't be read: it is not UTF-8") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ValueError(f"{option} {path}: is empty")
    return SecretStr(secret)
