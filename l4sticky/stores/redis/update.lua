-- Updates sessions. KEYS are their records, ARGV the node, the channel of the pool, and for each record: the target, the one that it
-- replaces ('*' for any), '1' if the client has connections at the node, and the TTL in milliseconds.
--
-- A record is the target and the nodes at which the client has connections, with a blank before each. The answer has for each record '=' if
-- there was one, else '-', and then the target that is kept, if that is another one; or '!' and an error.
local call, find, sub = redis.call, string.find, string.sub
local node, channel = ARGV[1], ARGV[2]
local holder = ' ' .. node
local longest = 256 -- of all nodes of a record: those that are dead would else pile up in a session that never ends

local function hold(nodes, live)
	local from, to = find(nodes .. ' ', holder .. ' ', 1, true)
	if live and not from then
		nodes = nodes .. holder
		while #nodes > longest do
			nodes = sub(nodes, find(nodes, ' ', 2, true) or #nodes + 1)
		end
	elseif from and not live then
		nodes = sub(nodes, 1, from - 1) .. sub(nodes, to)
	end
	return nodes
end

local function write(key, record, old, atLeast, ttl)
	local left = atLeast and old ~= '' and call('PTTL', key) or 0
	if record ~= old then
		call('SET', key, record, 'PX', left > tonumber(ttl) and left or ttl)
	elseif not atLeast or left < tonumber(ttl) then
		call('PEXPIRE', key, ttl)
	end
end

local function update(key, target, replaces, live, ttl)
	local record = call('GET', key) or ''
	local at = find(record, ' ', 1, true) or #record + 1
	local kept, held = sub(record, 1, at - 1), sub(record, at)
	local sign = kept == '' and '-' or '='
	local moves = kept ~= '' and kept ~= target and (replaces == '*' or replaces == kept)
	if moves or kept == '' then
		kept = target
	end
	if target ~= '' then
		local nodes = hold(held, live)
		write(key, kept .. nodes, record, nodes ~= '' or held == '', ttl)
	elseif moves then
		call('DEL', key)
	end
	if moves then
		call('PUBLISH', channel, 'session ' .. node .. ' ' .. sub(key, find(key, '}', 1, true) + 1) .. ' ' .. target)
	end
	return kept == target and sign or sign .. kept
end

local answers = {}
for i = 1, #KEYS do
	local at = 4 * i
	local ok, answer = pcall(update, KEYS[i], ARGV[at - 1], ARGV[at], ARGV[at + 1] == '1', ARGV[at + 2])
	if not ok then
		answer = '!' .. (type(answer) == 'table' and answer.err or tostring(answer))
	end
	answers[i] = answer
end
return answers
