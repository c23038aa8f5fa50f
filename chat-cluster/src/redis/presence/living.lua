-- Returns the nodes whose lease is in force.
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text(now), '+inf')
