"""A few threads, made when they are needed. The standard library's pool brings its logging and futures along."""

import threading
from collections import deque
from collections.abc import Callable

LONGEST_QUEUE = 1000


class Crowd:
    """Runs functions beside the caller, at most `most` at once. Others wait; of too many the oldest are lost."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._waiting: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque(maxlen=LONGEST_QUEUE)
        self._changed = threading.Condition()
        self._idle = 0
        self._count = 0

    def run(self, function: Callable[..., None], *arguments: object) -> None:
        """Call it soon, in a thread that ends with the process."""
        with self._changed:
            self._waiting.append((function, arguments))
            if len(self._waiting) <= self._idle:
                self._changed.notify()
            elif self._count < self._most:
                self._count += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _work(self) -> None:
        try:
            while True:
                function, arguments = self._next()
                function(*arguments)
        finally:  # it failed: another thread takes this one's place
            with self._changed:
                self._count -= 1

    def _next(self) -> tuple[Callable[..., None], tuple[object, ...]]:
        with self._changed:
            self._idle += 1
            while not self._waiting:
                self._changed.wait()
            self._idle -= 1
            return self._waiting.popleft()
