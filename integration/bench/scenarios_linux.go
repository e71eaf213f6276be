package main

import (
	"fmt"
	"slices"
	"time"
)

// figures are what a round has measured, by the names that the columns of the tables have.
type figures map[string]float64

// scenario is a kind of work that all balancers are given.
type scenario struct {
	name, title string
	// What is done and how it is counted, for the reader.
	note    string
	columns []column
	measure func(*round) (figures, error)
	// Tells who can take part.
	takes func(balancer) bool
}

func anybody(balancer) bool          { return true }
func anyBalancer(b balancer) bool    { return b.tool != "" }
func whoeverReloads(b balancer) bool { return anyBalancer(b) && b.tool != toolNode }

// scenarios returns all, in the order in which they are played.
func scenarios() []scenario {
	all := []scenario{
		{
			name: "conn", title: "New connections",
			note:    "Connect, 64 bytes there, 64 bytes back, close; then the next. A fixed number of clients at a time, each connection from another of 10,000 addresses.",
			columns: perPiece("connection", "connections/s"), takes: anybody, measure: measureConnections,
		},
		{
			name: "trips", title: "64-byte round trips",
			note:    "A fixed number of connections that stay open, one message under way on each.",
			columns: perPiece("round trip", "round trips/s"), takes: anybody, measure: measureTrips,
		},
	}
	all = append(all, scenario{
		name: "script", title: "New connections that a script decides about",
		note:    "As `conn`, with and without a script that lets everybody in: the difference is what a decision costs.",
		columns: append(perPiece("connection", "connections/s"), column{"rss_mib", "memory, MiB", "%.1f", median}),
		takes:   takesScript, measure: measureScript,
	})
	for _, way := range []string{kindDown, kindUp} {
		for _, conns := range []int{1, 8} {
			all = append(all, bulkScenario(way, conns))
		}
	}
	return append(all,
		idleScenario("idle-64", "64 bytes", 64), idleScenario("idle-64k", "64 KiB", 64<<10),
		faultScenario("refused", "A target that refuses", faultRefused),
		faultScenario("hole", "A target that swallows SYNs", faultHole),
		reloadScenario(), storeNew(), storeHit("store-known", "had one before", 0), storeHit("store-live", "has one that stays open", knownClients), storePaced())
}

// perPiece are the columns of scenarios that count pieces of work.
func perPiece(piece, rate string) []column {
	return []column{
		{"norm", "norm", "%.3f", spread},
		{"cpu_us", "CPU µs per " + piece, "%.1f", spread},
		{"per_second", rate, "%.0f", median},
		{"p50_us", "p50 µs", "%.0f", median},
		{"p99_us", "p99 µs", "%.0f", median},
		{"failed", "failed", "%.0f", total},
	}
}

func measureConnections(r *round) (figures, error) {
	return r.pieces(job{Kind: kindConnect, Conns: r.crowd, Warm: r.window / 4, Window: r.window})
}

// takesScript tells the balancers that can have a script, with and without one.
func takesScript(b balancer) bool {
	return slices.Contains([]string{"ours", "ours-embedded", "ours-node", "loadbalancer.js", "loadbalancer.js-script"}, b.name)
}

func measureScript(r *round) (figures, error) {
	f, err := measureConnections(r)
	if err != nil {
		return nil, err
	}
	rss, err := groupRSS(r.running.group())
	f["rss_mib"] = float64(rss) / (1 << 20)
	return f, err
}

func measureTrips(r *round) (figures, error) {
	return r.pieces(job{Kind: kindTrips, Conns: r.crowd, Warm: r.window / 4, Window: r.window})
}

// pieces does a job that consists of pieces of work.
func (r *round) pieces(j job) (figures, error) {
	result, err := r.work(j)
	if err != nil {
		return nil, err
	}
	return pieceFigures(result), nil
}

func pieceFigures(result outcome) figures {
	g := result.Groups[groupNew]
	f := figures{
		"per_second": float64(g.Done) / result.Seconds,
		"p50_us":     microseconds(g.P50), "p99_us": microseconds(g.P99), "max_us": microseconds(g.Max),
		"failed": float64(g.failures()),
	}
	f.processorTime(result, "cpu_us", float64(g.Done)/1e6)
	return f
}

// processorTime adds what the balancer used per unit of work, and in relation to what clients and targets used meanwhile: on a machine
// that is shared, or whose clock changes, all three get slower together.
func (f figures) processorTime(result outcome, name string, units float64) {
	others := (result.ClientCPU + result.TargetCPU).Seconds()
	f["others_"+name] = others / units
	if result.BalancerCPU > 0 {
		f[name] = result.BalancerCPU.Seconds() / units
		f["norm"] = result.BalancerCPU.Seconds() / others
	}
}

func bulkScenario(way string, conns int) scenario {
	return scenario{
		name:  fmt.Sprintf("bulk-%s-%d", way, conns),
		title: fmt.Sprintf("Bulk %s, %d connection(s)", way, conns),
		note:  "As many bytes as go through.",
		columns: []column{
			{"cpu_s_per_gib", "CPU s/GiB", "%.3f", spread},
			{"norm", "norm", "%.3f", spread},
			{"gib_per_second", "GiB/s", "%.2f", median},
			{"failed", "failed", "%.0f", total},
		},
		takes: anybody,
		measure: func(r *round) (figures, error) {
			// HAProxy's splice-auto takes most of a second to make up its mind.
			result, err := r.work(job{Kind: way, Conns: conns, Warm: r.window / 2, Window: r.window / 2})
			if err != nil {
				return nil, err
			}
			g := result.Groups[groupNew]
			gib := float64(g.Bytes) / (1 << 30)
			f := figures{"gib_per_second": gib / result.Seconds, "failed": float64(g.failures())}
			f.processorTime(result, "cpu_s_per_gib", gib)
			return f, nil
		},
	}
}

func idleScenario(name, amount string, size int) scenario {
	return scenario{
		name: name, title: "Memory of an idle connection, after " + amount + " each way",
		note: "Resident memory of all the balancer's processes with the connections, less that without, per connection. Each connection is of a client of its own, " +
			"so that sessions are included; short connections of other clients go before, so that what is taken once is not.",
		columns: []column{
			{"rss_bytes", "bytes per connection", "%.0f", spread},
			{"base_mib", "without, MiB", "%.1f", median},
			{"conns", "connections", "%.0f", median},
			{"failed", "failed", "%.0f", total},
		},
		takes:   anyBalancer,
		measure: func(r *round) (figures, error) { return r.idle(size) },
	}
}

// idle compares the balancer's memory before and while connections are held.
func (r *round) idle(size int) (figures, error) {
	if _, err := r.work(job{Kind: kindConnect, Conns: r.crowd, Sources: 50, Window: 500 * time.Millisecond}); err != nil {
		return nil, err
	}
	time.Sleep(r.settle)
	before, err := groupRSS(r.running.group())
	if err != nil {
		return nil, err
	}
	conns := min(r.idleConns, r.site.conns)
	j := job{Kind: kindHold, Conns: conns, First: 50, Sources: conns, Size: size}
	c, err := r.client(j)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	if err := r.ready(c); err != nil {
		return nil, err
	}
	time.Sleep(r.settle)
	after, err := groupRSS(r.running.group())
	if err != nil {
		return nil, err
	}
	if err := c.say("go"); err != nil {
		return nil, err
	}
	result, err := r.finish(c, j)
	if err != nil {
		return nil, err
	}
	return figures{
		"rss_bytes": float64(after-before) / float64(conns), "base_mib": float64(before) / (1 << 20), "conns": float64(conns),
		"failed": float64(result.Groups[groupNew].failures()),
	}, nil
}

func microseconds(d time.Duration) float64 { return float64(d) / 1e3 }
func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }
