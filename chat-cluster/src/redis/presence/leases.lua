-- Leases, by the clock of this server alone, in microseconds.
-- KEYS: the end of each node's lease; the number of each node's lease, and the last number given.
--
-- A lease that begins gets a number above all others. By it an entry tells whether the lease it was
-- made under is in force: its number is among those in force, or above the last that was given when
-- one looked, so that the lease began since.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function text(number)
  return string.format('%.0f', number)
end

-- The last number that was given, and the numbers of all leases in force.
local function view()
  local numbers = { redis.call('HGET', KEYS[2], 'last') or '0' }
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text(now), '+inf')) do
    local number = redis.call('HGET', KEYS[2], node)
    if number then
      numbers[#numbers + 1] = number
    end
  end
  return numbers
end
