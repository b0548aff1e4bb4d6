"""The shop's stock, in SQLite: the only service that touches the database."""

import json
import os
import sqlite3
import threading
from urllib.parse import unquote

from service import (
    IDENTITY,
    NOT_FOUND,
    POD,
    ROOT,
    VERSION,
    WHO_ARE_YOU,
    address_of,
    admin,
    credentials,
    settings,
)
from serving import Response, Server
from tracing import Tracer

FIRST_STOCK = (("rivet", 4980), ("chair", 4), ("door", 981), ("window", 25), ("handle", 20))


class Stock:
    """Item counts on disk. Every method may be called from any thread."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - pathlib costs start-up time
        self._lock = threading.Lock()
        self._db = sqlite3.connect(f"{folder}/stock.db", check_same_thread=False, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS stock (name TEXT PRIMARY KEY, count INTEGER CHECK (count >= 0))")
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            if not self._db.execute("SELECT 1 FROM stock").fetchone():
                self._db.executemany("INSERT INTO stock VALUES (?, ?)", FIRST_STOCK)
            self._db.execute("COMMIT")

    def all(self):
        """Every item, in the order in which it came."""
        with self._lock:
            rows = self._db.execute("SELECT name, count FROM stock ORDER BY rowid").fetchall()
        return [{"itemCount": count, "itemName": name} for name, count in rows]

    def put(self, name, count):
        """Set an item's count, making the item when it is new."""
        with self._lock:
            self._db.execute(
                "INSERT INTO stock VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET count = ?2", (name, count)
            )

    def change(self, name, by):
        """The item after its count moved; None for no such item. Raises sqlite3.IntegrityError below zero."""
        with self._lock:
            rows = self._db.execute(
                "UPDATE stock SET count = count + ? WHERE name = ? RETURNING count", (by, name)
            ).fetchall()
        return {"itemCount": rows[0][0], "itemName": name} if rows else None

    def remove(self, name):
        """True when there was such an item."""
        with self._lock:
            return self._db.execute("DELETE FROM stock WHERE name = ?", (name,)).rowcount > 0


def as_json(value):
    """A 200 answer; 404 for None."""
    return NOT_FOUND if value is None else Response(200, json.dumps(value, separators=(",", ":")).encode())


class Stockmanager:
    """Answers on the service port."""

    def __init__(self, users, stock):
        self._allowed = credentials(users)
        self._stock = stock

    def handle(self, request):
        """The answer to one request."""
        parts = [unquote(part) for part in request.path.split("?")[0].split("/")[1:]]
        if parts == ["status"]:
            return as_json({"name": "stockmanager", "alive": True, "version": VERSION})
        if parts[0] != "stocklevel":
            return NOT_FOUND
        if request.headers.get("authorization") not in self._allowed:
            return WHO_ARE_YOU
        try:
            return self._stocklevel(request.method, *parts[1:])
        except sqlite3.IntegrityError:
            return Response(409, b'{"error":"not that many in stock"}')
        except (ValueError, TypeError, OverflowError):
            return Response(400, b'{"error":"want /stocklevel/<item>/<count>"}')

    def _stocklevel(self, method, name=None, count=None):
        if method in {"GET", "HEAD"} and count is None:
            every = self._stock.all()
            return as_json(every if name is None else next((i for i in every if i["itemName"] == name), None))
        if method == "DELETE" and name and count is None:
            return as_json({"itemName": name} if self._stock.remove(name) else None)
        if method == "PUT" and name:
            self._stock.put(name, int(count))
            return as_json({"itemCount": int(count), "itemName": name})
        if method == "POST" and name:
            return as_json(self._stock.change(name, int(count)))
        return Response(405, b'{"error":"method not allowed"}')


def main():
    """Serve until SIGTERM."""
    server = Server(IDENTITY, Tracer("stockmanager", POD, address_of("zipkin", 9411)))
    stock = Stock(ROOT + os.environ.get("DATA", "/data"))
    server.listen(8081, Stockmanager(settings("/confsecure"), stock).handle, traced=True)
    server.listen(9081, admin(server, "stockmanager", lambda: not server.stopping))
    print(f"stockmanager_started version={VERSION} pod={POD}")
    server.run()
    print("stockmanager_stopped")


if __name__ == "__main__":
    main()
