-- A stretch of a stream together with its top, as they are at one moment.
-- KEYS: stream, meta. ARGV: offset to start after (or, in reverse, before; 0: from the top), limit,
-- reverse (1) or not. Returns epoch, top, entries; epoch is nil where nothing is known.
local at = redis.call('HMGET', KEYS[2], 'e', 't')
local entries = {}
if at[1] and ARGV[2] ~= '0' then
  local past = '(' .. ARGV[1] .. '-0'
  if ARGV[3] == '1' then
    local from = ARGV[1] == '0' and '+' or past
    entries = redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', ARGV[2])
  else
    entries = redis.call('XRANGE', KEYS[1], past, '+', 'COUNT', ARGV[2])
  end
end
return {at[1], at[2], entries}
