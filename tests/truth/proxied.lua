-- Puts headers of the PROXY protocol before tshark whole, and then what lies behind them, which it reads only if
-- both begin with a segment. The argument -d tcp.port==80,proxied_http says that HTTP lies behind them, and so for
-- the other names below. What has no header is read as it is.

local SIGNATURE = ByteArray.new("0d0a0d0a000d0a515549540a"):raw()
local LINE_BYTES_MAX = 107

local function is_prefix(bytes, whole)
  return bytes:sub(1, #whole) == whole:sub(1, #bytes)
end

-- Bytes of the header at the front; nil: there are too few to say.
local function header_bytes(bytes)
  if is_prefix(bytes, SIGNATURE) then
    if #bytes < 16 then return nil end
    return 16 + 256 * bytes:byte(15) + bytes:byte(16)
  elseif is_prefix(bytes, "PROXY ") then
    local _, line_end = bytes:find("\r\n", 1, true)
    if line_end or #bytes < LINE_BYTES_MAX then return line_end end
  end
  return 0
end

for _, name in ipairs({"data", "http", "tls", "ssh", "smtp", "ftp", "mqtt", "mbtcp", "xmpp", "dns"}) do
  local inner = Dissector.get(name)
  local proxied = Proto("proxied_" .. name, name .. " behind a header of the PROXY protocol")
  function proxied.dissector(buffer, pinfo, tree)
    local header = header_bytes(buffer:raw())
    if not header or header > buffer:len() then
      pinfo.desegment_offset = 0
      pinfo.desegment_len = header and header - buffer:len() or DESEGMENT_ONE_MORE_SEGMENT
      return
    end
    if header > 0 then DissectorTable.try_heuristics("tcp", buffer:range(0, header):tvb(), pinfo, tree) end
    if header == buffer:len() then return end
    inner:call(buffer:range(header):tvb(), pinfo, tree)
    if pinfo.desegment_len > 0 then pinfo.desegment_offset = pinfo.desegment_offset + header end
  end
  DissectorTable.get("tcp.port"):add_for_decode_as(proxied)
end
