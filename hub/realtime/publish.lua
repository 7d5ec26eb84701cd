-- Numbers a publication of an ephemeral channel, keeps it and publishes it, as one step.
-- KEYS: stream, meta, outcome of the idempotency key.
-- ARGV: new epoch, data, info, time, size (0: in no stream), ttl, meta ttl, channel, tags, flags,
-- shape of the message, seconds an outcome is kept (0: no key), version (0: none), version epoch.
-- Returns offset and epoch: of this publication, of the one its key has made before, or, where a
-- newer version is there already, of the top.
local keyed = ARGV[12] ~= '0'
if keyed then
  local before = redis.call('HMGET', KEYS[3], 'o', 'e')
  if before[1] then
    return {tonumber(before[1]), before[2]}
  end
end
local offset, epoch, outdated = 0, '', false
if ARGV[5] ~= '0' then
  if redis.call('HSETNX', KEYS[2], 'e', ARGV[1]) == 1 then
    redis.call('DEL', KEYS[1]) -- a stream that outlived its meta key would refuse low numbers
  end
  local at = redis.call('HMGET', KEYS[2], 'e', 't', 'v', 'w')
  epoch = at[1]
  if ARGV[13] ~= '0' then
    outdated = at[3] and at[4] == ARGV[14] and tonumber(ARGV[13]) <= tonumber(at[3])
    if not outdated then
      redis.call('HSET', KEYS[2], 'v', ARGV[13], 'w', ARGV[14])
    end
  end
  if outdated then
    offset = tonumber(at[2] or '0')
  else
    offset = redis.call('HINCRBY', KEYS[2], 't', 1)
    local entry = {'d', ARGV[2], 't', ARGV[4], 'i', ARGV[3]}
    if ARGV[9] ~= '' or ARGV[10] ~= '' then
      entry = {'d', ARGV[2], 't', ARGV[4], 'i', ARGV[3], 'g', ARGV[9], 'f', ARGV[10]}
    end
    local id = string.format('%d-0', offset)
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], id, unpack(entry))
    redis.call('EXPIRE', KEYS[1], ARGV[6])
    redis.call('EXPIRE', KEYS[2], ARGV[7])
  end
end
if keyed then
  redis.call('HSET', KEYS[3], 'o', offset, 'e', epoch)
  redis.call('EXPIRE', KEYS[3], ARGV[12])
end
if not outdated then
  local head = string.format('p:%d:%s:%s:%s:', offset, epoch, ARGV[4], ARGV[11])
  redis.call('SPUBLISH', ARGV[8], head .. ARGV[3] .. ARGV[9] .. ARGV[2])
end
return {offset, epoch}
