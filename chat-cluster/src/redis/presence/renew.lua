-- Renews a node's lease, or begins it.
-- ARGV: node, lease, how long to keep all this in milliseconds.
-- Returns whether it was in force, its number, and the view.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
local number = redis.call('HGET', KEYS[2], ARGV[1])
local kept = ends and number and tonumber(ends) > now
if not kept then
  local last = tonumber(redis.call('HGET', KEYS[2], 'last') or 0)
  number = text(math.max(last + 1, now))
  redis.call('HSET', KEYS[2], ARGV[1], number, 'last', number)
end
redis.call('ZADD', KEYS[1], text(now + ARGV[2]), ARGV[1])
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', key, ARGV[3])
  end
end
return { kept and 1 or 0, number, view() }
