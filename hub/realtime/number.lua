-- Publishes what its owner has numbered. A repeat is refused by the stream and not published again.
-- KEYS: stream, meta. ARGV: offset, epoch, data, time, size, ttl, channel, message
if redis.call('HGET', KEYS[2], 'e') ~= ARGV[2] then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[2], 'e', ARGV[2], 't', 0)
end
local top = tonumber(redis.call('HGET', KEYS[2], 't'))
if tonumber(ARGV[1]) <= top then
  return 0
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], ARGV[1] .. '-0', 'd', ARGV[3], 't', ARGV[4])
redis.call('HSET', KEYS[2], 't', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
redis.call('SPUBLISH', ARGV[7], ARGV[8])
return 1
