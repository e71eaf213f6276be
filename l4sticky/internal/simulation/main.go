package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// portion is how many clients a worker plays before it asks for more.
const portion = 1000

// ways are all ways to find a target, in the order of the report.
var ways = []struct {
	name string
	make func(*scenario) way
}{
	{"`hash % n`", func(s *scenario) way { return &stateless{scenario: s, place: modulo} }},
	{"Maglev", func(s *scenario) way { return &stateless{scenario: s, place: maglev} }},
	{"rendezvous, no store", func(s *scenario) way { return &tables{scenario: s} }},
	{"rendezvous with a store", func(s *scenario) way { return newShared(s) }},
}

// The numbers of ways.
const (
	byModulo = iota
	byMaglev
	byTables
	byStore
)

// counts are what has happened, for each way in each phase.
type counts [][]count

func newCounts(s *scenario) counts {
	c := make(counts, len(ways))
	for i := range c {
		c[i] = make([]count, len(s.phases))
	}
	return c
}

func (c counts) add(other counts) {
	for i := range c {
		for phase, n := range other[i] {
			c[i][phase].add(n)
		}
	}
}

func (c *count) add(n count) {
	c.connections += n.connections
	c.returning += n.returning
	c.misplaced += n.misplaced
}

// simulate plays all clients in all ways, by so many workers.
func simulate(s *scenario, workers int) counts {
	var (
		next atomic.Int64
		mu   sync.Mutex
		wg   sync.WaitGroup
	)
	sum := newCounts(s)
	for range workers {
		wg.Go(func() {
			counted := newCounts(s)
			playPortions(s, &next, counted)
			mu.Lock()
			defer mu.Unlock()
			sum.add(counted)
		})
	}
	wg.Wait()
	return sum
}

// playPortions plays portions of the clients until there are no more.
func playPortions(s *scenario, next *atomic.Int64, counted counts) {
	c := new(client)
	for {
		from := int(next.Add(portion)) - portion
		if from >= s.clients {
			return
		}
		for i, way := range ways {
			w := way.make(s)
			for number := from; number < min(from+portion, s.clients); number++ {
				c.become(s, number)
				s.play(c, w, counted[i])
			}
		}
	}
}

// check returns an error unless a config can be played.
func (c config) check() error {
	switch {
	case c.clients < 1 || c.clients > 1<<28:
		return fmt.Errorf("-clients %d: must be from 1 to %d", c.clients, 1<<28)
	case c.targets < 5 || c.targets >= maxTargets:
		return fmt.Errorf("-targets %d: must be from 5 to %d", c.targets, maxTargets-1)
	case c.nodes < 3 || c.nodes > maxNodes:
		return fmt.Errorf("-nodes %d: must be from 3 to %d", c.nodes, maxNodes)
	}
	return nil
}

func main() {
	var c config
	flag.IntVar(&c.clients, "clients", 10_000_000, "number of clients")
	flag.IntVar(&c.targets, "targets", 100, "number of targets at first")
	flag.IntVar(&c.nodes, "nodes", 20, "number of nodes at first")
	flag.Uint64Var(&c.seed, "seed", 1, "seed of all that is random")
	flag.Parse()
	if err := c.check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Print(introduction(c, strings.Join(os.Args[1:], " ")))
	for _, c.rehash = range []bool{false, true} {
		s := newScenario(c)
		fmt.Print(report(s, simulate(s, runtime.GOMAXPROCS(0))))
	}
}
