package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"

	"github.com/redis/rueidis"
)

// A script runs in the server, which knows it by its digest once it has run there.
type script struct{ source, digest string }

func newScript(source string) *script {
	digest := sha1.Sum([]byte(source))
	return &script{source, hex.EncodeToString(digest[:])}
}

// A call is one of a script. In a cluster, all of its keys have the same hash tag.
type call struct{ keys, args []string }

// command makes the command that calls the script, by its digest or, for a server that does not know it, by its source.
func (s *script) command(build rueidis.Builder, c *call, bySource bool) rueidis.Completed {
	if bySource {
		return build.Eval().Script(s.source).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
	}
	return build.Evalsha().Sha1(s.digest).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

// run runs the calls of a script, all at the same time, and returns a result for each.
func (s *Store) run(ctx context.Context, of *script, calls ...call) ([]rueidis.RedisResult, error) {
	results, err := s.send(ctx, of, calls, false)
	if err != nil {
		return nil, err
	}
	var again []call
	var indices []int
	for i := range results {
		if e, ok := rueidis.IsRedisErr(results[i].Error()); ok && e.IsNoScript() {
			again, indices = append(again, calls[i]), append(indices, i)
		}
	}
	if len(again) == 0 {
		return results, nil
	}
	more, err := s.send(ctx, of, again, true)
	for i := range more {
		results[indices[i]] = more[i]
	}
	if err != nil { // what the other calls did counts
		for _, i := range indices {
			results[i] = rueidis.NewErrorResult(err)
		}
	}
	return results, nil
}

func (s *Store) send(ctx context.Context, of *script, calls []call, bySource bool) ([]rueidis.RedisResult, error) {
	connection := s.connection
	if connection == nil {
		return nil, errClosed
	}
	results, err := connection.do(ctx, func(client rueidis.Client) []rueidis.RedisResult {
		commands := make(rueidis.Commands, len(calls))
		for i := range calls {
			commands[i] = of.command(client.B(), &calls[i], bySource)
		}
		return client.DoMulti(context.Background(), commands...)
	})
	return results, s.redacted(err)
}
