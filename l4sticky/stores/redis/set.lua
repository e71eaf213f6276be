-- Keeps a setting. KEYS are the settings of the pool, ARGV the node, the channel of the pool, the target, its name in the news, the setting,
-- and '1' if what is kept already stays.
local command = ARGV[6] == '1' and 'HSETNX' or 'HSET'
local added = redis.call(command, KEYS[1], ARGV[3], ARGV[5])
if command == 'HSET' or added == 1 then
	redis.call('PUBLISH', ARGV[2], 'setting ' .. ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
end
return added
