package redis

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// usedMemory returns how many bytes the server has allocated for data.
func (s *server) usedMemory() int {
	s.t.Helper()
	_, info, _ := strings.Cut(s.cli("INFO", "memory"), "used_memory:")
	info, _, _ = strings.Cut(info, "\r\n")
	n, err := strconv.Atoi(info)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// maxBytes is how much memory of the server a session of an IPv4 client may take.
const maxBytes = 180

// A session takes little memory of the server.
func TestMemoryOfASession(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	const sessions = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	updates := make([]stores.Update, sessions)
	for i := range updates {
		n := random.Uint32()
		client := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		updates[i] = stores.Update{Client: client, Target: targetA, Live: true, TTL: time.Hour}
	}
	update(t, store, "k3x9ab", updates[0]) // what there is once
	before := s.usedMemory()
	for i := 0; i < sessions; i += 5000 {
		if err := store.Update(t.Context(), "default", "k3x9ab", updates[i:i+5000]); err != nil {
			t.Fatal(err)
		}
	}
	bytes := (s.usedMemory() - before) / sessions
	t.Logf("%d bytes a session", bytes)
	if bytes > maxBytes {
		t.Errorf("a session takes %d bytes, more than %d", bytes, maxBytes)
	}
}
