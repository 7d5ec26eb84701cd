-- Token bucket. KEYS[1] the bucket; ARGV: tokens a minute, burst, now (Unix ms), cost.
-- Returns {1, 0} when the tokens were taken, else {0, milliseconds until they would be there}.
-- A bucket nobody touched long enough to be full again expires: a missing bucket is a full one.
local rate = tonumber(ARGV[1]) / 60000
local burst = tonumber(ARGV[2])
local now = tonumber(ARGV[3])
local cost = tonumber(ARGV[4])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(stored[1]) or burst
local at = tonumber(stored[2]) or now
if now > at then -- another process's clock may be ahead; time never runs backwards here
  tokens = math.min(burst, tokens + (now - at) * rate)
  at = now
end
local answer
if tokens >= cost then
  tokens = tokens - cost
  answer = {1, 0}
else
  answer = {0, math.ceil((cost - tokens) / rate)}
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens), 'at', string.format('%d', at))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate) + 1000)
return answer
