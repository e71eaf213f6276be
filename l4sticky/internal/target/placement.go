package target

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// A Placement is a way to choose a target for a client. Everything that is particular to one is said here, so a new one
// is a variable, a function and its place in placements.
type Placement struct {
	// Name is what a config calls it.
	Name string
	// Ordered means that the order of the targets counts.
	Ordered bool
	// Duplicates means that a target may be listed several times, each with its own share of the clients.
	Duplicates bool
	// Sticky means that a client stays with its target, so that it has a session.
	Sticky bool

	// place chooses among the usable targets whose Backup is that number, for a valid client.
	place func(l *list, client netip.Addr, backup int, usable func(*Member) bool) *Member
}

var (
	// Rendezvous is weighted rendezvous hashing: Thaler and Ravishankar, "Using Name-Based Mappings to
	// Increase Hit Rates" (1998), with the weights of Schindelhauer and Schomaker, "Weighted
	// Distributed Hash Tables" (2005).
	Rendezvous = &Placement{Name: "rendezvous", Sticky: true, place: (*list).rendezvous}
	// Legacy is the placement of LoadBalancer.js: Java's String.hashCode of the address, modulo the
	// number of targets; if that target is not usable, modulo the number of usable ones.
	Legacy = &Placement{Name: "legacy", Ordered: true, Duplicates: true, Sticky: true, place: (*list).legacy}
	// Random takes any target, by weight.
	Random = &Placement{Name: "random", place: (*list).random}
)

// placements are all that there are, the default first.
var placements = []*Placement{Rendezvous, Legacy, Random}

// PlacementNames returns the names of all placements, the default first.
func PlacementNames() []string {
	names := make([]string, len(placements))
	for i, p := range placements {
		names[i] = p.Name
	}
	return names
}

// PlacementNamed returns the placement with the name, or nil if there is none.
func PlacementNamed(name string) *Placement {
	for _, p := range placements {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Place returns the usable target for a client, or nil if none is usable. Backups are chosen from only
// if no other target is usable, and those of a higher number only if none of a lower one is. For the same client, targets and usability it always returns the
// same, on every machine, unless the placement is not Sticky. A client without a valid address is placed at
// random.
func (s *Set) Place(client netip.Addr, usable func(*Member) bool) *Member {
	l := s.list.Load()
	for _, backup := range l.backups {
		if m := l.placeAmong(client, backup, usable); m != nil {
			return m
		}
	}
	return nil
}

// PlaceByConfig returns the target at which a new client would be if all were usable and nothing was set for them beside the
// config, or nil if there are none.
func (s *Set) PlaceByConfig(client netip.Addr) *Member {
	l := *s.list.Load()
	l.entries, l.even, l.backups = nil, false, nil
	for _, of := range l.lines {
		if of.Weight > 0 && !of.Drain {
			l.add(of.member, of.Weight)
		}
	}
	for _, backup := range l.backups {
		if m := l.placeAmong(client, backup, func(*Member) bool { return true }); m != nil {
			return m
		}
	}
	return nil
}

func (l *list) placeAmong(client netip.Addr, backup int, usable func(*Member) bool) *Member {
	if !client.IsValid() {
		return l.random(client, backup, usable)
	}
	return l.set.placement.place(l, client, backup, usable)
}

func (l *list) rendezvous(client netip.Addr, backup int, usable func(*Member) bool) *Member {
	var key [24]byte
	address := client.As16()
	copy(key[:], address[:])

	var best *Member
	var bestHash uint64
	var bestCost float64
	even := l.even && !l.starting()
	for _, e := range l.entries {
		m := e.member
		if m.Config.Backup != backup || !usable(m) {
			continue
		}
		binary.LittleEndian.PutUint64(key[16:], m.hash)
		hash := xxhash.Sum64(key[:])
		if even {
			if best == nil || hash > bestHash {
				best, bestHash = m, hash
			}
			continue
		}
		if cost := negativeLog2(hash) / (float64(e.weight) * l.set.share(m.Target)); best == nil || cost < bestCost {
			best, bestCost = m, cost
		}
	}
	return best
}

// negativeLog2 returns -log2(hash / 2^64), so that the highest hash has the lowest cost. It is not
// math.Log2 because every machine must place a client in the same way: the conversions
// keep a compiler from fusing operations, which would change the last bits on some.
func negativeLog2(hash uint64) float64 {
	zeros := bits.LeadingZeros64(hash | 1)
	mantissa := float64((hash|1)<<zeros>>11) / (1 << 52) // from 1 to 2

	// log2(m) = 2/ln(2) · artanh(x) with x = (m-1)/(m+1), which is at most a third.
	x := (mantissa - 1) / (mantissa + 1)
	square := float64(x * x)
	sum := 0.0
	for k := 21; k >= 1; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	log := float64(2 / math.Ln2 * float64(x*sum))
	return float64(zeros+1) - log
}

func (l *list) legacy(client netip.Addr, backup int, usable func(*Member) bool) *Member {
	hash := legacyHash(client)
	all := func(*Member) bool { return true }
	if m := l.at(hash, backup, all); m == nil || usable(m) {
		return m
	}
	return l.at(hash, backup, usable)
}

func (l *list) random(_ netip.Addr, backup int, usable func(*Member) bool) *Member {
	return l.at(rand.Int64(), backup, usable)
}

// fineness is how many parts of a weight can be told apart during a slow start.
const fineness = 1000

// weightOf returns the weight of an entry for placements that add them up.
func (l *list) weightOf(e entry) int64 {
	if l.set.slowStart == 0 {
		return int64(e.weight)
	}
	return int64(float64(e.weight) * fineness * l.set.share(e.member.Target))
}

func (l *list) totalWeight(backup int, usable func(*Member) bool) int64 {
	var total int64
	for _, e := range l.entries {
		if e.member.Config.Backup == backup && usable(e.member) {
			total += l.weightOf(e)
		}
	}
	return total
}

// at returns the usable target whose share of the weights the place falls into, counted round and round. A target
// that becomes usable or unusable meanwhile is no harm: the last usable one is taken.
func (l *list) at(place int64, backup int, usable func(*Member) bool) *Member {
	total := l.totalWeight(backup, usable)
	if total == 0 {
		return nil
	}
	place %= total
	var last *Member
	for _, e := range l.entries {
		if e.member.Config.Backup != backup || !usable(e.member) {
			continue
		}
		last = e.member
		if place -= l.weightOf(e); place < 0 {
			break
		}
	}
	return last
}

// legacyHash returns the hash of a client's address as Node.js writes it.
func legacyHash(client netip.Addr) int64 {
	var text [64]byte
	return javaHash(appendNodeAddress(text[:0], client))
}

// appendNodeAddress appends an address as a dual-stack listener of Node.js reports it: an IPv4 client as
// an IPv4-mapped IPv6 address, and the old IPv4-compatible addresses with their dots.
func appendNodeAddress(text []byte, client netip.Addr) []byte {
	client = client.Unmap()
	if client.Is4() {
		return client.AppendTo(append(text, "::ffff:"...))
	}
	bytes := client.As16()
	if [12]byte(bytes[:12]) == [12]byte{} && (bytes[12] != 0 || bytes[13] != 0) {
		return netip.AddrFrom4([4]byte(bytes[12:])).AppendTo(append(text, "::"...))
	}
	return client.AppendTo(text)
}

// javaHash is the absolute value of Java's String.hashCode; that of the smallest int32 is 2^31.
func javaHash(text []byte) int64 {
	var h int32
	for _, c := range text {
		h = 31*h + int32(c)
	}
	return max(int64(h), -int64(h))
}
