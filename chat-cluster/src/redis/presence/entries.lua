-- Entries of a user: a hash from node to `<number of the lease>:<devices>`, and how the user is
-- shown. Which leases are in force is kept elsewhere, so it is told by the last of ARGV.

-- Whether an entry counts, by the view that begins at this place of ARGV.
local function counts_by(place)
  local last, in_force = tonumber(ARGV[place]), {}
  for index = place + 1, #ARGV do
    in_force[ARGV[index]] = true
  end
  return function(entry)
    local number = string.match(entry, '^%d+')
    return in_force[number] or tonumber(number) > last
  end
end

-- The entries of a user that count, by node.
local function entries_of(user, counts)
  local all, entries = redis.call('HGETALL', user), {}
  for index = 1, #all, 2 do
    if all[index] ~= 'shown' and counts(all[index + 1]) then
      entries[all[index]] = all[index + 1]
    end
  end
  return entries
end
