-- Ends the entries of users on a node whose lease has run out.
-- KEYS: the users of the node, and some of them.
-- ARGV: node, names of those users, view.
-- Returns the names of those who are thereby on no node, each with how the user was shown.
local counts, gone = counts_by(#KEYS + 1), {}
for index = 2, #KEYS do
  local user, name = KEYS[index], ARGV[index]
  local entry = redis.call('HGET', user, ARGV[1])
  -- One that counts was made since, by a node that came back.
  if not (entry and counts(entry)) then
    redis.call('HDEL', user, ARGV[1])
    redis.call('SREM', KEYS[1], name)
    if entry and next(entries_of(user, counts)) == nil then
      gone[#gone + 1] = { name, redis.call('HGET', user, 'shown') or '' }
      redis.call('DEL', user)
    end
  end
end
return gone
