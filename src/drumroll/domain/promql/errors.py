"""What can be wrong with a query."""


class ParseError(ValueError):
    """The text is no query. Its message is Prometheus': `line:column: parse error: what`."""

    def __init__(self, text: str, at: int, message: str) -> None:
        before = text[:at]
        line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
        super().__init__(f"{line}:{column}: parse error: {message}")


class QueryError(ValueError):
    """The query is well formed and cannot be answered over these series."""
