-- Notes a node. KEYS are the nodes, the settings and the generation of the pool, ARGV the node, what is noted of it (nothing if it is
-- leaving), and the generation if there is none yet.
--
-- What is noted of a node is when that was in milliseconds, the interval in milliseconds, its connections and its host. The answer is the
-- time, the generation, the nodes and the settings.
local function call(command, key, ...) -- what is of another kind makes room
	local answer = redis.pcall(command, key, ...)
	if type(answer) == 'table' and answer.err then
		if string.find(answer.err, 'WRONGTYPE', 1, true) then
			redis.call('DEL', key)
		end
		return redis.call(command, key, ...)
	end
	return answer
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)
if ARGV[2] == '' then
	call('HDEL', KEYS[1], ARGV[1])
else
	call('HSET', KEYS[1], ARGV[1], stamp .. ' ' .. ARGV[2])
end
local all, nodes = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
	local seen, interval = string.match(all[i + 1], '^(%d+) (%d+) %d+ ')
	if seen and now - seen <= 3 * interval then
		nodes[#nodes + 1] = all[i]
		nodes[#nodes + 1] = all[i + 1]
	else
		redis.call('HDEL', KEYS[1], all[i])
	end
end
local generation = call('GET', KEYS[3])
if not generation then
	generation = ARGV[3]
	redis.call('SET', KEYS[3], generation)
end
return {stamp, generation, nodes, call('HGETALL', KEYS[2])}
