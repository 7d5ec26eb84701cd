-- Numbers a publication of an ephemeral channel and publishes it.
-- KEYS: stream, meta. ARGV: new epoch, data, info, time, size, ttl, channel
redis.call('HSETNX', KEYS[2], 'e', ARGV[1])
local epoch = redis.call('HGET', KEYS[2], 'e')
local offset = redis.call('HINCRBY', KEYS[2], 't', 1)
local id = string.format('%d-0', offset)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], id, 'd', ARGV[2], 't', ARGV[4], 'i', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], math.max(ARGV[6], 2592000))
local head = string.format('p:%d:%s:%s:%d:', offset, epoch, ARGV[4], #ARGV[3])
redis.call('PUBLISH', ARGV[7], head .. ARGV[3] .. ARGV[2])
return offset
