package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
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

// Update sends the updates of all sessions that have the same tag as one command, and all commands together. If there are more
// updates for a tag than a command takes, those after them are sent when these are done: so several for one client are done in
// their order.
func (s *Store) Update(ctx context.Context, pool, node string, updates []stores.Update) error {
	all, n, node := make([]int, len(updates)), namesOf(s.KeyPrefix, pool), escape(node)
	for i := range all {
		all[i] = i
	}
	var failed error
	for len(all) > 0 {
		var wave [len(tags)][]int
		rest := all[:0]
		for _, i := range all {
			if of := &wave[tagOf(updates[i].Client)]; len(*of) < maxKeys {
				*of = append(*of, i)
			} else {
				rest = append(rest, i)
			}
		}
		if err := s.updateWave(ctx, &n, node, updates, wave[:]); err != nil {
			failed = err
			if ctx.Err() != nil {
				break
			}
		}
		all = rest
	}
	return failed
}

// updateWave sends a command for each tag that has updates, which are given by their indices.
func (s *Store) updateWave(ctx context.Context, n *names, node string, updates []stores.Update, wave [][]int) error {
	var calls []call
	var indices [][]int
	for _, of := range wave {
		if len(of) == 0 {
			continue
		}
		c := call{keys: make([]string, 0, len(of)), args: append(make([]string, 0, 2+3*len(of)), node, n.channel)}
		for _, i := range of {
			c.keys = append(c.keys, n.session(updates[i].Client))
			c.args = appendUpdate(c.args, &updates[i])
		}
		calls, indices = append(calls, c), append(indices, of)
	}
	results, err := s.run(ctx, updateScript, calls...)
	if err != nil {
		return err
	}
	for i, result := range results {
		if e := readAnswers(result, updates, indices[i]); e != nil {
			err = e
		}
	}
	return s.redacted(err)
}

func appendUpdate(args []string, u *stores.Update) []string {
	replaces, ttl := escape(u.Replaces), milliseconds(u.TTL)
	if u.Any {
		replaces = "*"
	}
	if !u.Live {
		ttl = "-" + ttl
	}
	return append(args, escape(u.Target), replaces, ttl)
}

// milliseconds rounds up, since nothing is kept for no time.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

var errAnswer = errors.New("the server's answer is not one of the script")

// readAnswers puts what has come of a command into its updates.
func readAnswers(result rueidis.RedisResult, updates []stores.Update, of []int) error {
	answers, err := result.ToArray()
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
