package target

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"testing"
	"time"
)

func stopped() time.Duration { return time.Hour }

func configs(weights ...int) []Config {
	list := make([]Config, len(weights))
	for i, w := range weights {
		list[i] = Config{Address: Address{"tcp", fmt.Sprintf("10.0.0.%d:80", i+1)}, Weight: w}
	}
	return list
}

func ones(n int) []Config {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1
	}
	return configs(weights...)
}

func newSet(placement *Placement, list []Config) *Set {
	return NewSet(NewRegistry(stopped), placement, 0, list)
}

func always(*Member) bool { return true }

// clients returns n addresses from the first on.
func clients(first string, n int) []netip.Addr {
	list := make([]netip.Addr, n)
	addr := netip.MustParseAddr(first)
	for i := range list {
		list[i] = addr
		addr = addr.Next()
	}
	return list
}

func count(s *Set, list []netip.Addr) map[string]int {
	counts := make(map[string]int)
	for _, c := range list {
		counts[s.Place(c, always).Address.Dial]++
	}
	return counts
}

// TestNeighboursSpreadEvenly holds 5,000 neighbours over 10 targets against the chi-square bound that chance
// exceeds once in a thousand.
func TestNeighboursSpreadEvenly(t *testing.T) {
	const n, targets, bound = 5000, 10, 27.877 // 9 degrees of freedom
	set := newSet(Rendezvous, ones(targets))
	for _, first := range []string{
		"10.0.0.0", "10.1.0.0", "192.168.0.0", "172.16.0.0", "127.0.0.2", "203.0.113.0", "8.8.0.0", "100.64.0.0",
		"1.0.0.0", "223.255.0.0", "2001:db8::", "2001:db8:1::", "fe80::", "::1", "2a00:1450:4001::",
	} {
		chi := 0.0
		for _, c := range count(set, clients(first, n)) {
			d := float64(c) - n/targets
			chi += d * d / (n / targets)
		}
		if chi > bound {
			t.Errorf("from %s: chi-square %.1f, want at most %.1f", first, chi, bound)
		}
	}
	// One /64 each, as households have them.
	chi, counts := 0.0, make(map[string]int)
	for i := range n {
		c := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, byte(i >> 8), byte(i)})
		counts[set.Place(c, always).Address.Dial]++
	}
	for _, c := range counts {
		d := float64(c) - n/targets
		chi += d * d / (n / targets)
	}
	if chi > bound {
		t.Errorf("/64 prefixes: chi-square %.1f, want at most %.1f", chi, bound)
	}
}

func TestRemovedTargetMovesItsOwnClientsOnly(t *testing.T) {
	for name, list := range map[string][]Config{"even": ones(10), "weighted": configs(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)} {
		t.Run(name, func(t *testing.T) {
			whole := newSet(Rendezvous, list)
			less := newSet(Rendezvous, append(append([]Config{}, list[:4]...), list[5:]...))
			for _, c := range clients("10.0.0.0", 20_000) {
				before, after := whole.Place(c, always).Address, less.Place(c, always).Address
				if before != list[4].Address && before != after {
					t.Fatalf("client %v moved from %v to %v", c, before, after)
				}
			}
			// A target that is not usable is the same as one that is not there.
			usable := func(m *Member) bool { return m.Address != list[4].Address }
			for _, c := range clients("10.0.0.0", 1000) {
				if got, want := whole.Place(c, usable).Address, less.Place(c, always).Address; got != want {
					t.Fatalf("client %v goes to %v, want %v", c, got, want)
				}
			}
		})
	}
}

func TestWeightsAreHonoured(t *testing.T) {
	weights := []int{1, 2, 3, 10}
	for placement, tolerance := range map[*Placement]float64{Rendezvous: 0.03, Random: 0.06} {
		set := newSet(placement, configs(weights...))
		const n = 100_000
		counts := count(set, clients("10.0.0.0", n))
		for i, w := range weights {
			want := float64(n) * float64(w) / 16
			got := float64(counts[set.Members()[i].Address.Dial])
			if math.Abs(got-want)/want > tolerance {
				t.Errorf("placement %s, weight %d: %v clients, want %v", placement.Name, w, got, want)
			}
		}
	}
}

// TestPlacementNeverChanges pins placements, which every node, version and kind of machine must share.
func TestPlacementNeverChanges(t *testing.T) {
	even, weighted := newSet(Rendezvous, ones(5)), newSet(Rendezvous, configs(1, 2, 3, 4, 5))
	for _, test := range []struct {
		client         string
		even, weighted string
	}{
		{"192.0.2.1", "10.0.0.1:80", "10.0.0.1:80"},
		{"192.0.2.2", "10.0.0.1:80", "10.0.0.1:80"},
		{"192.0.2.3", "10.0.0.5:80", "10.0.0.5:80"},
		{"2001:db8::1", "10.0.0.2:80", "10.0.0.2:80"},
		{"2001:db8::2", "10.0.0.4:80", "10.0.0.4:80"},
		{"192.0.2.16", "10.0.0.2:80", "10.0.0.3:80"},
		{"192.0.2.17", "10.0.0.2:80", "10.0.0.2:80"},
		{"192.0.2.18", "10.0.0.1:80", "10.0.0.3:80"},
		{"192.0.2.19", "10.0.0.1:80", "10.0.0.2:80"},
	} {
		client := netip.MustParseAddr(test.client)
		if got := even.Place(client, always).Address.Dial; got != test.even {
			t.Errorf("%v, even: %v, want %v", client, got, test.even)
		}
		if got := weighted.Place(client, always).Address.Dial; got != test.weighted {
			t.Errorf("%v, weighted: %v, want %v", client, got, test.weighted)
		}
	}
	if got, want := negativeLog2(1<<63), 1.0; got != want {
		t.Errorf("negativeLog2(1/2) = %v, want %v", got, want)
	}
	for _, hash := range []uint64{0, 1, 2, 12345, 1 << 40, 3 << 61, math.MaxUint64} {
		want := -math.Log2(float64(hash|1) / (1 << 64))
		if got := negativeLog2(hash); math.Abs(got-want) > 1e-9 {
			t.Errorf("negativeLog2(%d) = %v, want %v", hash, got, want)
		}
	}
}

func TestPlacementNamed(t *testing.T) {
	for i, name := range PlacementNames() {
		if p := PlacementNamed(name); p == nil || p != placements[i] {
			t.Errorf("%s is %v", name, p)
		}
	}
	if p := PlacementNamed("nearest"); p != nil {
		t.Errorf("an unknown placement is %v", p)
	}
}

func TestBackupsComeLast(t *testing.T) {
	list := ones(4)
	list[0].Backup, list[3].Backup = 1, 1
	for _, placement := range placements {
		set := newSet(placement, list)
		for _, c := range clients("10.0.0.0", 200) {
			if m := set.Place(c, always); m.Config.Backup > 0 {
				t.Fatalf("placement %s: a backup is chosen while others are usable", placement.Name)
			}
			onlyBackups := func(m *Member) bool { return m.Config.Backup > 0 }
			if m := set.Place(c, onlyBackups); m == nil || m.Config.Backup == 0 {
				t.Fatalf("placement %s: %v is chosen, want a backup", placement.Name, m)
			}
			if m := set.Place(c, func(*Member) bool { return false }); m != nil {
				t.Fatalf("placement %s: %v is chosen, want none", placement.Name, m)
			}
		}
	}
}

// Of several ranks of backups the lowest that has a usable target takes all clients.
func TestRanksOfBackups(t *testing.T) {
	list := ones(6)
	for i := range list {
		list[i].Backup = []int{7, 0, 2, 7, 0, 2}[i]
	}
	for _, placement := range placements {
		set := newSet(placement, list)
		for _, c := range clients("10.0.0.0", 50) {
			for _, least := range []int{0, 1, 2, 3, 7} {
				want := map[int]int{0: 0, 1: 2, 2: 2, 3: 7, 7: 7}[least]
				m := set.Place(c, func(m *Member) bool { return m.Config.Backup >= least })
				if m == nil || m.Config.Backup != want {
					t.Fatalf("placement %s: %v is chosen, want one of rank %d", placement.Name, m, want)
				}
			}
		}
	}
}

func TestClientWithoutAddressIsPlacedAtRandom(t *testing.T) {
	for _, placement := range placements {
		if got := len(count(newSet(placement, ones(3)), make([]netip.Addr, 1000))); got != 3 {
			t.Errorf("placement %s: %d targets got clients, want 3", placement.Name, got)
		}
	}
}

func TestLegacyHash(t *testing.T) {
	data, err := os.ReadFile("testdata/hash-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Str   string  `json:"str"`
			Abs32 int64   `json:"abs32"`
			Index []int64 `json:"index"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	addresses := 0
	for _, v := range file.Vectors {
		if got := javaHash([]byte(v.Str)); got != v.Abs32 {
			t.Errorf("hash of %q = %d, want %d", v.Str, got, v.Abs32)
		}
		client, err := netip.ParseAddr(v.Str)
		if err != nil || string(appendNodeAddress(nil, client)) != v.Str {
			continue // not what a dual-stack listener reports
		}
		addresses++
		for i, index := range v.Index {
			list := ones(i + 1)
			if got := newSet(Legacy, list).Place(client, always).Address; got != list[index].Address {
				t.Errorf("%s of %d targets goes to %v, want %v", v.Str, i+1, got, list[index].Address)
			}
			if got := newSet(Legacy, list).Place(client.Unmap(), always).Address; got != list[index].Address {
				t.Errorf("%s of %d targets goes to %v, want %v", client.Unmap(), i+1, got, list[index].Address)
			}
		}
	}
	if len(file.Vectors) != 365 || addresses < 100 {
		t.Errorf("%d vectors with %d addresses, want 365 and many", len(file.Vectors), addresses)
	}
}

func TestNodeAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":        "::ffff:192.0.2.1",
		"::ffff:192.0.2.1": "::ffff:192.0.2.1",
		"::1":              "::1",
		"::":               "::",
		"::1.2.3.4":        "::1.2.3.4",
		"::1:2:3":          "::1:2:3",
		"2001:DB8:0::1":    "2001:db8::1",
		"fe80::1%eth0":     "fe80::1%eth0",
	} {
		if got := string(appendNodeAddress(nil, netip.MustParseAddr(address))); got != want {
			t.Errorf("%s is written %s, want %s", address, got, want)
		}
	}
}

// TestLegacyFailover compares with what the formula says: the place among all targets, and if that one is not
// active, the place among the active ones.
func TestLegacyFailover(t *testing.T) {
	list := ones(5)
	list[3].Address = list[0].Address // twice, for twice its share
	set := newSet(Legacy, list)
	dead := list[0].Address
	usable := func(m *Member) bool { return m.Address != dead }
	for _, c := range clients("127.0.0.2", 500) {
		hash := legacyHash(c)
		want := list[hash%5].Address
		if want == dead {
			want = []Address{list[1].Address, list[2].Address, list[4].Address}[hash%3]
		}
		if got := set.Place(c, usable).Address; got != want {
			t.Fatalf("%v goes to %v, want %v", c, got, want)
		}
	}
	if got := len(set.Members()); got != 4 {
		t.Errorf("%d members, want 4", got)
	}
}

func TestPlaceDoesNotAllocate(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.1")
	for _, placement := range placements {
		set := newSet(placement, configs(1, 2, 3))
		if n := testing.AllocsPerRun(1000, func() { set.Place(client, always) }); n != 0 {
			t.Errorf("placement %s: %v allocations, want 0", placement.Name, n)
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	list := clients("10.0.0.0", 1024)
	for name, set := range map[string]*Set{
		"rendezvous-10":          newSet(Rendezvous, ones(10)),
		"rendezvous-10-weighted": newSet(Rendezvous, configs(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
		"legacy-10":              newSet(Legacy, ones(10)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				set.Place(list[i%len(list)], always)
			}
		})
	}
}
