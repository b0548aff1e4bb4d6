"""What a Prometheus answers to an instant query that comes to one number."""

import orjson


def one_number(body: bytes) -> float:
    """The one number in an answer of /api/v1/query; no series at all counts as 0. Raises ValueError with a sentence."""
    try:
        answer = orjson.loads(body)
        if answer.get("status") != "success":
            raise ValueError(f"the query failed: {answer.get('error') or answer}")
        data = answer["data"]
        rows = [data["result"]] if data["resultType"] == "scalar" else [row["value"] for row in data["result"]]
        if len(rows) > 1:
            raise ValueError(f"the query gives {len(rows)} series; sum them up")
        return float(rows[0][1]) if rows else 0.0
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no answer of Prometheus: {body[:100]!r}") from error
