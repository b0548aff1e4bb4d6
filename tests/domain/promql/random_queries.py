"""Queries that nobody would write, of every construction that there is, about the series of `series`."""

import random

SELECTORS = [
    "load",
    "capacity",
    "requests_total",
    'requests_total{code="500"}',
    "duration_bucket",
    "constant",
    "early",
    "tiny",
    "huge",
    'load{host=~"a|c"}',
    '{__name__=~"load|constant"}',
    'requests_total{revision!="old"}',
    "nothing",
]
NUMBERS = ["1", "0", "-1", "2.5", "0.5", "100", "1e3", "NaN", "Inf", "time()"]
LABELS = ["host", "rack", "code", "revision", "service", "le", "owner", "nope"]
DURATIONS = ["7s", "30s", "1m", "95s", "5m", "12m"]
OF_RANGES = [
    "rate",
    "irate",
    "increase",
    "delta",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
]
OF_VECTORS = [
    "abs",
    "ceil",
    "floor",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "sort",
    "sort_desc",
    "timestamp",
    "absent",
]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
OPERATORS = ["+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "> bool", "== bool"]
SETS = ["and", "or", "unless"]


def random_queries(seed, count):
    """So many queries, the same ones for the same seed."""
    chance = _Chance(seed)
    return [chance.vector(chance.random.choice((1, 2, 3))) for _ in range(count)]


class _Chance:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, choices):
        return self.random.choice(choices)

    def labels(self):
        return ",".join(self.random.sample(LABELS, self.random.randrange(3)))

    def scalar(self, depth):
        draw = self.random.random()
        if depth <= 0 or draw < 0.5:
            return self.one(NUMBERS)
        if draw < 0.7:
            return f"scalar({self.vector(depth - 1)})"
        return f"({self.scalar(depth - 1)} {self.one([*OPERATORS[:6], '== bool'])} {self.scalar(depth - 1)})"

    def window(self, depth):
        shift = self.one(["", "", "", " offset 1m", " offset -30s", " @ 1700000400"])
        if depth > 0 and self.random.random() < 0.25:
            step = self.one(["", "10s", "47s", "1m"])
            return f"({self.vector(depth - 1)})[{self.one(['1m', '3m', '5m'])}:{step}]{shift}"
        return f"{self.one(SELECTORS)}[{self.one(DURATIONS)}]{shift}"

    def vector(self, depth):
        if depth <= 0 or self.random.random() < 0.15:
            return self.one(SELECTORS) + self.one(["", "", "", " offset 90s", " @ end()"])
        kinds = (
            self._of_range,
            self._of_range,
            self._of_vector,
            self._aggregation,
            self._binary,
            self._binary,
            self._other,
        )
        return self.one(kinds)(depth)

    def _of_range(self, depth):
        return f"{self.one(OF_RANGES)}({self.window(depth)})"

    def _of_vector(self, depth):
        return f"{self.one(OF_VECTORS)}({self.vector(depth - 1)})"

    def _aggregation(self, depth):
        grouping = self.one(["", f" by ({self.labels()})", f" without ({self.labels()})"])
        return f"{self.one(AGGREGATIONS)}{grouping} ({self.vector(depth - 1)})"

    def _binary(self, depth):
        operator = self.one([*OPERATORS, *SETS])
        draw = self.random.random()
        if operator not in SETS and draw < 0.2:
            return f"({self.vector(depth - 1)} {operator} {self.scalar(depth - 1)})"
        if operator not in SETS and draw < 0.35:
            return f"({self.scalar(depth - 1)} {operator} {self.vector(depth - 1)})"
        matching = self.one(["", f" on({self.labels()})", f" ignoring({self.labels()})"])
        if matching and operator not in SETS and self.random.random() < 0.5:
            matching += self.one([" group_left", " group_right"]) + self.one(["()", f"({self.one(LABELS)})"])
        return f"({self.vector(depth - 1)} {operator}{matching} {self.vector(depth - 1)})"

    def _other(self, depth):
        inner = self.vector(depth - 1)
        return self.one(
            [
                f"clamp({inner}, {self.scalar(0)}, {self.scalar(0)})",
                f"histogram_quantile({self.scalar(0)}, {inner})",
                f"round({inner}, {self.scalar(0)})",
                f"quantile by ({self.labels()}) ({self.scalar(0)}, {inner})",
                f'label_replace({inner}, "{self.one(LABELS)}", "$1x", "{self.one(LABELS)}", "(.*)")',
            ]
        )
