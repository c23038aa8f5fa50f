-- Counts one event by the generic cell rate algorithm, in nanoseconds.
-- KEYS: when the key is next free, as `seconds:nanoseconds`.
-- ARGV: time that one event uses up, time that may be used up in advance.
-- Returns how long to wait, or 0.
local time = redis.call('TIME')
local now_seconds, now_nanos = tonumber(time[1]), time[2] * 1000
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])

-- Of the two moments only the difference is a number that Lua holds exactly.
local ahead = 0
local seconds, nanos = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+):(%d+)$')
if seconds then
  ahead = (seconds - now_seconds) * 1e9 + (nanos - now_nanos)
end
-- Further ahead it is only if the server's clock has been set back.
ahead = math.min(math.max(ahead, 0), tolerance + interval)

if ahead > tolerance then
  return string.format('%.0f', ahead - tolerance)
end
ahead = ahead + interval
local sum = now_nanos + ahead
local free = string.format('%.0f:%.0f', now_seconds + math.floor(sum / 1e9), sum % 1e9)
redis.call('SET', KEYS[1], free, 'PX', string.format('%.0f', math.max(1, math.ceil(ahead / 1e6))))
return '0'
