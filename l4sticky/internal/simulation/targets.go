package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// none is no target.
const none = -1

// maglevSize is the number of entries in Maglev's table, a prime number, which is the smaller one of the paper.
const maglevSize = 65537

// Targets are some of the targets, with what each way to find one makes of them.
type targets struct {
	has    [maxTargets]bool
	list   []int
	set    *target.Set
	number map[*target.Member]int
	maglev func() []uint8 // of list, made when it is first asked for
}

func newTargets(has [maxTargets]bool) *targets {
	t := &targets{has: has, number: make(map[*target.Member]int)}
	var configs []target.Config
	for n, is := range has {
		if is {
			t.list = append(t.list, n)
			configs = append(configs, target.Config{Address: target.Address{Network: "tcp", Dial: address(n)}, Weight: 1})
		}
	}
	t.set = target.NewSet(target.NewRegistry(func() time.Duration { return 0 }), target.Rendezvous, 0, configs)
	for i, m := range t.set.Members() {
		t.number[m] = t.list[i]
	}
	t.maglev = sync.OnceValue(func() []uint8 { return maglevTable(t.list) })
	return t
}

func address(n int) string { return fmt.Sprintf("10.0.0.%d:8000", n+1) }

// placed returns where package target places a client.
func (t *targets) placed(c *client) int {
	m := t.set.Place(c.addr, func(*target.Member) bool { return true })
	if m == nil {
		return none
	}
	return t.number[m]
}

// maglevTable returns Maglev's table: in turn, each target takes the next entry that is free in an order of its own.
func maglevTable(list []int) []uint8 {
	next, skip := make([]uint64, len(list)), make([]uint64, len(list))
	for i, n := range list {
		next[i], skip[i] = hashOf(1, []byte(address(n)))%maglevSize, hashOf(2, []byte(address(n)))%(maglevSize-1)+1
	}
	table, taken := make([]uint8, maglevSize), make([]bool, maglevSize)
	for filled := range maglevSize {
		i := filled % len(list)
		for taken[next[i]] {
			next[i] = (next[i] + skip[i]) % maglevSize
		}
		table[next[i]], taken[next[i]] = uint8(list[i]), true
	}
	return table
}

// hashOf returns one of several hashes of a text.
func hashOf(salt uint64, text []byte) uint64 {
	return xxhash.Sum64(append(binary.LittleEndian.AppendUint64(make([]byte, 0, 64), salt), text...))
}
