"""Who a certificate says that somebody is, and what is open to everybody."""

from drumroll.objects.wire import User

OPEN_PATHS = ("/version", "/healthz", "/livez", "/readyz")
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


def certificate_user(subject: tuple[tuple[tuple[str, str], ...], ...]) -> User | None:
    """The user that a verified client certificate names: CN is the name, each O a group."""
    facts = [fact for relative_name in subject for fact in relative_name]
    name = next((value for key, value in facts if key == "commonName"), "")
    if not name:
        return None
    groups = tuple(value for key, value in facts if key == "organizationName")
    return User(name, (*groups, AUTHENTICATED))


def is_open(path: str) -> bool:
    """True for the paths that anybody may read."""
    return path in OPEN_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/"))
