-- Records that a user is no longer on a node.
-- KEYS: the user, the users of the node.
-- ARGV: node, the user's name, view.
-- Returns whether the user is now on no node, having been on this one.
local was_here = redis.call('HDEL', KEYS[1], ARGV[1]) == 1
redis.call('SREM', KEYS[2], ARGV[2])
if was_here and next(entries_of(KEYS[1], counts_by(3))) == nil then
  redis.call('DEL', KEYS[1])
  return 1
end
return 0
