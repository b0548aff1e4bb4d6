"""The functions' arguments and results."""

from dataclasses import dataclass

from drumroll.domain.promql.nodes import Type

V: Type = "instant vector"
R: Type = "range vector"
S: Type = "scalar"
T: Type = "string"


@dataclass(frozen=True, slots=True)
class Signature:
    """`more` optional arguments may follow: how many of the last kinds may be left out, or be repeated (-1)."""

    takes: tuple[Type, ...]
    gives: Type = V
    more: int = 0


_OF_VECTORS = "abs ceil exp floor ln log10 log2 sgn sqrt sort sort_desc absent timestamp"
_OF_RANGES = """rate irate increase delta idelta deriv changes resets absent_over_time avg_over_time count_over_time
last_over_time max_over_time min_over_time present_over_time stddev_over_time stdvar_over_time sum_over_time"""
_OF_DATES = "day_of_month day_of_week day_of_year days_in_month hour minute month year"

SIGNATURES: dict[str, Signature] = {
    **dict.fromkeys(_OF_VECTORS.split(), Signature((V,))),
    **dict.fromkeys(_OF_RANGES.split(), Signature((R,))),
    **dict.fromkeys(_OF_DATES.split(), Signature((V,), more=1)),
    "clamp": Signature((V, S, S)),
    "clamp_max": Signature((V, S)),
    "clamp_min": Signature((V, S)),
    "histogram_quantile": Signature((S, V)),
    "label_join": Signature((V, T, T, T), more=-1),
    "label_replace": Signature((V, T, T, T, T)),
    "pi": Signature((), S),
    "predict_linear": Signature((R, S)),
    "quantile_over_time": Signature((S, R)),
    "round": Signature((V, S), more=1),
    "scalar": Signature((V,), S),
    "time": Signature((), S),
    "vector": Signature((S,)),
}
