"""$(NAME) in commands, arguments and environment values. Source: kubernetes third_party/forked/golang/expansion."""

from collections.abc import Mapping


def expand(text: str, values: Mapping[str, str]) -> str:
    """`text` with every known $(NAME) replaced. Unknown names stay as they are; $$ is a literal $.

    `$$(HOME)` is the text `$(HOME)`; `$(UNKNOWN)`, `$HOME` and a trailing `$` are left alone.
    """
    out: list[str] = []
    cursor = 0
    while (dollar := text.find("$", cursor)) != -1 and dollar + 1 < len(text):
        out.append(text[cursor:dollar])
        following = text[dollar + 1]
        if following == "$":
            out.append("$")
            cursor = dollar + 2
        elif following == "(" and (close := text.find(")", dollar)) != -1:
            name = text[dollar + 2 : close]
            out.append(values.get(name, text[dollar : close + 1]))
            cursor = close + 1
        else:
            out.append(text[dollar : dollar + 2])
            cursor = dollar + 2
    out.append(text[cursor:])
    return "".join(out)
