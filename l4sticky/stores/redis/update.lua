-- Updates sessions. KEYS are their records, ARGV the node, the channel of the pool, a byte for each record, which is the number of its
-- terms, and the terms: the target, the one that it replaces ('*' for any), and the TTL in milliseconds, with a '-' before it if the client
-- has no connections at the node.
--
-- A record is the target and the nodes at which the client has connections, with a blank before each. The answer has for each record '=' if
-- there was one, else '-', and then the target that is kept, if that is another one; or '!' and an error. If it would be '=' for all
-- of them, it is a single '='.
local call, byte, find, sub = redis.call, string.byte, string.find, string.sub
local node, channel, terms = ARGV[1], ARGV[2], ARGV[3]
local holder = ' ' .. node
local holderEnd = holder .. ' '
local extends = redis.REDIS_VERSION_NUM -- since Redis 7, as is PEXPIRE with GT
local longest = 256 -- of all nodes of a record: those that are dead would else pile up in a session that never ends

local function hold(nodes, live)
	local from, to = find(nodes .. ' ', holderEnd, 1, true)
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

local function extend(key, ttl)
	if extends then
		call('PEXPIRE', key, ttl, 'GT')
	elseif call('PTTL', key) < tonumber(ttl) then
		call('PEXPIRE', key, ttl)
	end
end

local function write(key, record, old, atLeast, ttl)
	if record == old then
		if atLeast then
			extend(key, ttl)
		else
			call('PEXPIRE', key, ttl)
		end
		return
	end
	local left = atLeast and old ~= '' and call('PTTL', key) or 0
	call('SET', key, record, 'PX', left > tonumber(ttl) and left or ttl)
end

local function update(key, target, replaces, ttl)
	local record, live = call('GET', key) or '', byte(ttl) ~= 45
	if live and record == target .. holder then -- the most common case by far
		extend(key, ttl)
		return '='
	end
	if not live then
		ttl = sub(ttl, 2)
	end
	local at = find(record, ' ', 1, true) or #record + 1
	local kept, nodes = sub(record, 1, at - 1), sub(record, at)
	local sign = kept == '' and '-' or '='
	local moves = kept ~= '' and kept ~= target and (replaces == '*' or replaces == kept)
	if moves or kept == '' then
		kept = target
	end
	if kept ~= '' then
		local now = hold(nodes, live)
		local last = nodes ~= '' and now == ''
		write(key, kept .. now, record, not last, ttl)
	elseif moves then
		call('DEL', key)
	end
	if moves then
		call('PUBLISH', channel, 'session ' .. node .. ' ' .. sub(key, find(key, '}', 1, true) + 1) .. ' ' .. target)
	end
	return kept == target and sign or sign .. kept
end

local function errorText(err)
	return type(err) == 'table' and err.err or tostring(err)
end

local answers, same = {}, true
for i = 1, #KEYS do
	local at = 1 + 3 * byte(terms, i)
	local ok, answer = pcall(update, KEYS[i], ARGV[at], ARGV[at + 1], ARGV[at + 2])
	if not ok and find(errorText(answer), 'WRONGTYPE', 1, true) then -- it is no session, and in the way of one
		call('DEL', KEYS[i])
		ok, answer = pcall(update, KEYS[i], ARGV[at], ARGV[at + 1], ARGV[at + 2])
	end
	if not ok then
		answer = '!' .. errorText(answer)
	end
	answers[i] = answer
	same = same and answer == '='
end
return same and '=' or answers
