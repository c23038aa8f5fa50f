-- ARGV: how many.
-- Returns nodes whose lease has run out, and the view.
return { redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, ARGV[1]), view() }
