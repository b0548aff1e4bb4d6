"""A few lines of Lua in Envoy that note headers in the baggage of a request; asleep where nobody asks for it."""

from collections.abc import Sequence

from drumroll.domain.envoy import types
from drumroll.objects.meta import Obj

LUA = "envoy.filters.http.lua"

_SCRIPT = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local notes = {}
  local known = string.lower(headers:get("baggage") or "")
  for _, name in ipairs({NAMES}) do
    local value = headers:get(name)
    if value ~= nil and string.find("," .. string.gsub(known, "%s", ""), "," .. name .. "=", 1, true) == nil then
      local safe = string.gsub(value, "[^%w%-%._~]", function(c) return string.format("%%%02X", string.byte(c)) end)
      table.insert(notes, name .. "=" .. safe)
    end
  end
  if #notes > 0 then
    local before = headers:get("baggage")
    local all = table.concat(notes, ",")
    headers:replace("baggage", before and before .. "," .. all or all)
  end
end
"""


def carrying_filter() -> Obj:
    """The filter, off until a route table turns it on."""
    return {"name": LUA, "typed_config": {"@type": types.LUA}, "disabled": True}


def carrying(names: Sequence[str]) -> Obj:
    """A table's `typed_per_filter_config` that has these headers noted; their names are lower-case tokens."""
    quoted = ", ".join(f'"{name}"' for name in names)
    code = _SCRIPT.replace("NAMES", quoted)
    return {LUA: {"@type": types.LUA_PER_ROUTE, "source_code": {"inline_string": code}}}
