-- Sets how a user is shown, while online.
-- KEYS: the user.
-- ARGV: status, view.
if next(entries_of(KEYS[1], counts_by(2))) ~= nil then
  redis.call('HSET', KEYS[1], 'shown', ARGV[1])
end
return 0
