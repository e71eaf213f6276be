package main

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// The scenarios about session stores are played by ours with the store that it has by default, which is memory, and with Redis.
func keepsSessions(b balancer) bool { return b.name == "ours" || b.redis }

// perClient are the columns of scenarios that count connections.
func perClient() []column {
	return append(
		perPiece("connection", "connections/s"),
		column{"norm", "norm, to that of ours", "%.3f", ratio}, column{"redis_us", "Redis: CPU µs per connection", "%.1f", spread},
	)
}

func storeNew() scenario {
	return scenario{
		name: "store-new", title: "New connections of new clients, with a session store",
		note: "As `conn`, but each connection is from an address that has not been seen before. Then the memory of Redis is looked at.",
		columns: append(
			perClient(),
			column{"redis_bytes", "Redis: bytes per session", "%.0f", median}, column{"sessions", "sessions in Redis", "%.0f", median},
		),
		takes: keepsSessions,
		measure: func(r *round) (figures, error) {
			before, _, err := r.inRedis()
			if err != nil {
				return nil, err
			}
			f, err := r.clientPieces(job{Kind: kindConnect, Conns: r.crowd, Sources: manyClients, Warm: r.window / 4, Window: r.window})
			if err != nil || r.redis == nil {
				return f, err
			}
			after, sessions, err := r.inRedis()
			f["redis_bytes"], f["sessions"] = (after-before)/sessions, sessions
			return f, err
		},
	}
}

const (
	// manyClients are more than can come within a round.
	manyClients = 10_000_000
	// knownClients is the number of those that come again and again.
	knownClients = 5000
)

func storeHit(name, what string, long int) scenario {
	return scenario{
		name: name, title: "New connections of clients with a session: each " + what,
		note:    fmt.Sprintf("As `conn`, from %d addresses: each %s.", knownClients, what),
		columns: perClient(), takes: keepsSessions,
		measure: func(r *round) (figures, error) {
			return r.clientPieces(job{Kind: kindKnown, Conns: r.crowd, Long: long, Sources: knownClients, Warm: r.window / 4, Window: r.window})
		},
	}
}

// clientPieces is pieces with the processor time of Redis.
func (r *round) clientPieces(j job) (figures, error) {
	result, err := r.work(j)
	if err != nil {
		return nil, err
	}
	f := pieceFigures(result)
	if r.redis != nil {
		f["redis_us"] = result.StoreCPU.Seconds() / float64(result.Groups[groupNew].Done) * 1e6
	}
	return f, nil
}

func storePaced() scenario {
	return scenario{
		name: "store-paced", title: "First and later connections at a steady rate, with a session store",
		note: "New clients and those whose session is idle connect by turns, at a rate that leaves the processors time. Times are from the connect to the whole answer.",
		columns: []column{
			{"new_p50_us", "new clients: p50 µs", "%.0f", spread},
			{"new_p99_us", "p99 µs", "%.0f", spread},
			{"session_p50_us", "with a session: p50 µs", "%.0f", spread},
			{"session_p99_us", "p99 µs", "%.0f", spread},
			{"new_failed", "failed", "%.0f", total},
			{"session_failed", "failed", "%.0f", total},
		},
		takes: keepsSessions,
		measure: func(r *round) (figures, error) {
			result, err := r.paced(func() error { return nil })
			if err != nil {
				return nil, err
			}
			f := figures{}
			for i, name := range []string{groupNew: "new", groupHeld: "session"} {
				g := result.Groups[i]
				f[name+"_p50_us"], f[name+"_p99_us"] = microseconds(g.P50), microseconds(g.P99)
				f[name+"_failed"] = float64(g.failures())
			}
			return f, nil
		},
	}
}

// startRedis starts a redis-server that keeps nothing on the disk.
func (r *round) startRedis() (err error) {
	_, port, err := net.SplitHostPort(r.site.redis)
	if err != nil {
		return err
	}
	cmd := exec.Command(r.programs[toolRedis], "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", r.site.dir)
	if r.redis, err = startProcess("redis", r.site.dir, cmd); err != nil {
		return err
	}
	return awaitListener(r.site.redis, r.redis)
}

// usedMemory finds what the data takes in the answer to INFO, and the number of keys.
var (
	usedMemory = regexp.MustCompile(`used_memory:(\d+)`)
	keyCount   = regexp.MustCompile(`db0:keys=(\d+)`)
)

// inRedis returns the memory of Redis in bytes, and how many keys there are. Without Redis, both are zero.
func (r *round) inRedis() (memory, keys float64, err error) {
	if r.redis == nil {
		return 0, 0, nil
	}
	conn, err := net.DialTimeout("tcp", r.site.redis, time.Second)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("INFO\r\nQUIT\r\n")); err != nil {
		return 0, 0, err
	}
	info, err := io.ReadAll(conn)
	if err != nil {
		return 0, 0, err
	}
	for figure, into := range map[*regexp.Regexp]*float64{usedMemory: &memory, keyCount: &keys} {
		if found := figure.FindSubmatch(info); found != nil {
			if *into, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
				return 0, 0, err
			}
		}
	}
	return memory, keys, nil
}
