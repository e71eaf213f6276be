package session

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestIndexAgreesWithAMap inserts, finds and removes at random, with hashes that collide.
func TestIndexAgreesWithAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var x index[string]
	want := make(map[netip.Addr]*Session[string])
	for range 200_000 {
		client := addr(random.IntN(500))
		hash := uint32(client.As4()[3]%16) << shardBits
		s := x.find(client, hash)
		if s != want[client] {
			t.Fatalf("find(%v) = %p, want %p", client, s, want[client])
		}
		switch {
		case s == nil && random.IntN(500) > len(want):
			s = &Session[string]{client: client, hash: hash}
			x.insert(s)
			want[client] = s
		case s != nil && random.IntN(500) < len(want):
			x.remove(s)
			delete(want, client)
		}
		if x.count != len(want) {
			t.Fatalf("count = %d, want %d", x.count, len(want))
		}
	}
	for client, s := range want {
		x.remove(s)
		delete(want, client)
	}
	if len(x.slots) > 0 {
		t.Errorf("an empty index keeps %d slots", len(x.slots))
	}
}
