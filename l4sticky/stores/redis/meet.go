package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

//go:embed meet.lua
var meetSource string

//go:embed set.lua
var setSource string

var meetScript, setScript = newScript(meetSource), newScript(setSource)

// Meet notes the node in the hash of the pool's nodes, and reads that, the hash of settings and the generation.
func (s *Store) Meet(ctx context.Context, pool string, node stores.Node) (stores.Meeting, error) {
	n, noted := namesOf(s.KeyPrefix, pool), ""
	if !node.Leaving {
		noted = fmt.Sprintf("%s %d %s", milliseconds(node.Interval), node.Connections, node.Host)
	}
	results, err := s.run(ctx, meetScript, call{
		keys: []string{n.nodes, n.settings, n.generations},
		args: []string{node.ID, noted, rand.Text()},
	})
	if err != nil {
		return stores.Meeting{}, err
	}
	meeting, err := readMeeting(results[0])
	return meeting, s.redacted(err)
}

func readMeeting(result rueidis.RedisResult) (m stores.Meeting, err error) {
	parts, err := result.ToArray()
	if err != nil {
		return m, err
	}
	if len(parts) != 4 {
		return m, errAnswer
	}
	stamp, err := parts[0].ToString()
	if err != nil {
		return m, err
	}
	now, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return m, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if m.Generation, err = parts[1].ToString(); err != nil {
		return m, err
	}
	nodes, err := parts[2].AsStrSlice()
	if err != nil {
		return m, err
	}
	for i := 0; i+1 < len(nodes); i += 2 {
		if node, ok := parseNode(nodes[i], nodes[i+1], now); ok {
			m.Nodes = append(m.Nodes, node)
		}
	}
	settings, err := parts[3].AsStrSlice()
	if err != nil {
		return m, err
	}
	m.Settings = make(map[string]string, len(settings)/2)
	for i := 0; i+1 < len(settings); i += 2 {
		m.Settings[settings[i]] = settings[i+1]
	}
	return m, nil
}

// parseNode reads what is noted of a node, and reports whether that can be.
func parseNode(id, noted string, now int64) (stores.Node, bool) {
	fields := strings.SplitN(noted, " ", 4)
	if len(fields) != 4 {
		return stores.Node{}, false
	}
	seen, err1 := strconv.ParseInt(fields[0], 10, 64)
	interval, err2 := strconv.ParseInt(fields[1], 10, 64)
	connections, err3 := strconv.Atoi(fields[2])
	if err1 != nil || err2 != nil || err3 != nil {
		return stores.Node{}, false
	}
	return stores.Node{
		ID: id, Host: fields[3], Connections: connections,
		Interval: time.Duration(interval) * time.Millisecond,
		Seen:     time.Duration(max(0, now-seen)) * time.Millisecond,
	}, true
}

// Set keeps the setting in the hash of the pool's settings, and publishes it.
func (s *Store) Set(ctx context.Context, pool, node, target, setting string, missing bool) error {
	n, stays := namesOf(s.KeyPrefix, pool), "0"
	if missing {
		stays = "1"
	}
	results, err := s.run(ctx, setScript, call{
		keys: []string{n.settings},
		args: []string{escape(node), n.channel, target, escape(target), setting, stays},
	})
	if err != nil {
		return err
	}
	_, err = results[0].ToInt64()
	return s.redacted(err)
}
