package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

//go:embed update.lua
var updateSource string

var updateScript = newScript(updateSource)

// maxKeys is the largest number of sessions in one command. The server does nothing else meanwhile.
const maxKeys = 128

// Update makes a few large commands of the updates and sends all of them together. In a cluster, the sessions of a command have the same
// tag. All updates for a client are in the same command. If there are more updates for one than it takes, those after them are sent
// when these are done: so several for one client are done in their order.
func (s *Store) Update(ctx context.Context, pool, node string, updates []stores.Update) error {
	n, node := namesOf(s.KeyPrefix, pool), escape(node)
	left := make([]int, len(updates))
	for i := range left {
		left[i] = i
	}
	commands := s.commandsFor(ctx, len(updates))
	most := min(maxKeys, len(updates))
	memory := make([]int, commands*most)
	wave := make([][]int, commands)
	var failed error
	for len(left) > 0 {
		for i := range wave {
			wave[i] = memory[i*most : i*most : (i+1)*most]
		}
		rest := left[:0]
		for _, i := range left {
			if of := &wave[hashOf(updates[i].Client)%uint64(commands)]; len(*of) < most {
				*of = append(*of, i)
			} else {
				rest = append(rest, i)
			}
		}
		if err := s.updateWave(ctx, &n, node, updates, wave); err != nil {
			failed = err
			if ctx.Err() != nil {
				break
			}
		}
		left = rest
	}
	return failed
}

// commandsFor returns how many commands there are for so many updates. In a cluster, or as long as it may be one, there is one for each tag.
// Else they are as few as have room for most of what the hash has come to each of them.
func (s *Store) commandsFor(ctx context.Context, updates int) int {
	if s.connection == nil {
		return len(tags)
	}
	client, err := s.connection.ready(ctx)
	if err != nil || client.Mode() == rueidis.ClientModeCluster {
		return len(tags)
	}
	return 1 + (updates-1)/(maxKeys*3/4)
}

// updateWave sends a command for each of the groups of updates, which are given by their indices.
func (s *Store) updateWave(ctx context.Context, n *names, node string, updates []stores.Update, wave [][]int) error {
	var calls []call
	var groups [][]int
	keys := n.sessionsOf(updates, wave)
	for _, of := range wave {
		if len(of) == 0 {
			continue
		}
		c := call{keys: keys[:len(of)], args: updateArgs(node, n.channel, updates, of)}
		keys = keys[len(of):]
		calls, groups = append(calls, c), append(groups, of)
	}
	results, err := s.run(ctx, updateScript, calls...)
	if err != nil {
		return err
	}
	for i, result := range results {
		if e := readAnswers(result, updates, groups[i]); e != nil {
			err = e
		}
	}
	return s.redacted(err)
}

// terms are what an update says of its session. Most updates have the same as others.
type terms struct {
	ttl              int64 // in milliseconds, rounded up, since nothing is kept for no time; negative without connections
	target, replaces string
}

func termsOf(u *stores.Update) terms {
	t := terms{int64((u.TTL + time.Millisecond - 1) / time.Millisecond), u.Target, escape(u.Replaces)}
	if u.Any {
		t.replaces = "*"
	}
	if !u.Live {
		t.ttl = -t.ttl
	}
	return t
}

// updateArgs returns the arguments of the script: each of the terms once, and which of them are those of each update.
func updateArgs(node, channel string, updates []stores.Update, of []int) []string {
	args, which := append(make([]string, 0, 3*4), node, channel, ""), make([]byte, 0, maxKeys)
	var all [maxKeys]terms
	n := 0
	for _, i := range of {
		t := termsOf(&updates[i])
		at := slices.Index(all[:n], t)
		if at < 0 {
			at = n
			all[n] = t
			n++
			args = append(args, escape(t.target), t.replaces, strconv.FormatInt(t.ttl, 10))
		}
		which = append(which, byte(1+at))
	}
	args[2] = string(which)
	return args
}

// milliseconds rounds up, since nothing is kept for no time.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

var errAnswer = errors.New("the server's answer is not one of the script")

// readAnswers puts what has come of a command into its updates.
func readAnswers(result rueidis.RedisResult, updates []stores.Update, of []int) error {
	message, err := result.ToMessage()
	if err != nil {
		return err
	}
	if message.IsString() {
		return readAnswerForAll(message, updates, of)
	}
	answers, err := message.ToArray()
	if err != nil {
		return err
	}
	if len(answers) != len(of) {
		return errAnswer
	}
	for i := range answers {
		answer, e := answers[i].ToString()
		if e == nil {
			e = readAnswer(answer, &updates[of[i]])
		}
		if e != nil {
			err = e
		}
	}
	return err
}

// readAnswerForAll puts into the updates that the store knew and kept all of the sessions, if that is the answer.
func readAnswerForAll(message rueidis.RedisMessage, updates []stores.Update, of []int) error {
	if answer, err := message.ToString(); err != nil || answer != "=" {
		return errAnswer
	}
	for _, i := range of {
		updates[i].Known, updates[i].Kept = true, updates[i].Target
	}
	return nil
}

func readAnswer(answer string, u *stores.Update) error {
	if answer == "" {
		return errAnswer
	}
	switch sign, rest := answer[0], answer[1:]; sign {
	case '=', '-':
		u.Known, u.Kept = sign == '=', u.Target
		if rest != "" {
			u.Kept = unescape(rest)
		}
		return nil
	case '!':
		return fmt.Errorf("session of %v: %s", u.Client, rest)
	}
	return errAnswer
}
