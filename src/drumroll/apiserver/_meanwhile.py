"""Stands in for patches until they are there."""

from typing import Any

import orjson

try:
    from drumroll.objects.patch import apply_patch
except ImportError:  # pragma: no cover
    from drumroll.objects.decode import Decoded

    def _merge(old: Any, patch: Any) -> Any:
        if not isinstance(patch, dict):
            return patch
        merged = dict(old) if isinstance(old, dict) else {}
        for name, value in patch.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = _merge(merged.get(name), value)
        return merged

    def apply_patch(kind: Any, current: Any, body: bytes, content_type: str, field_validation: str) -> Any:
        patch = orjson.loads(body)
        if isinstance(patch, list):
            import jsonpatch

            return Decoded(jsonpatch.apply_patch(current, patch))
        return Decoded(_merge(current, patch))


__all__ = ["apply_patch"]
