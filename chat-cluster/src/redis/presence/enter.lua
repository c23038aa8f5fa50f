-- Records that a user is on a node.
-- KEYS: the user, the users of the node.
-- ARGV: node, number of its lease, devices, the user's name, how long to keep this, how the user is
--   shown if this is the arrival, view.
-- Returns whether the user came online, and the devices on all nodes.
local entries = entries_of(KEYS[1], counts_by(7))
local came = next(entries) == nil
if came then
  -- Whoever is told of the arrival need not be told of an end that came before.
  redis.call('DEL', KEYS[1])
  if ARGV[6] ~= '' and ARGV[6] ~= 'online' then
    redis.call('HSET', KEYS[1], 'shown', ARGV[6])
  end
end
local number, before = ARGV[2], entries[ARGV[1]]
if before then
  -- A call that was late must not replace a lease by an earlier one.
  local other = string.match(before, '^%d+')
  if tonumber(other) > tonumber(number) then
    number = other
  end
end
entries[ARGV[1]] = number .. ':' .. ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], entries[ARGV[1]])
redis.call('SADD', KEYS[2], ARGV[4])
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[5]) then
    redis.call('PEXPIRE', key, ARGV[5])
  end
end
local devices = 0
for _, entry in pairs(entries) do
  devices = devices + string.match(entry, '%d+$')
end
return { came and 1 or 0, devices }
