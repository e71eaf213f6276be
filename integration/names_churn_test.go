package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

var churnTime = flag.Duration("names.churn", 8*time.Second, "how long TestAddressesChurn lasts")

// TestAddressesChurn has addresses come and go each second while 200 connections a second come. None may be lost, and no
// client may move whose address is still there.
func TestAddressesChurn(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	const pause = time.Second / 200
	var addresses []string
	for i := range 12 {
		addresses = append(addresses, fmt.Sprintf("127.1.20.%d", 11+i))
	}
	port, _ := byName(t, addresses...)
	server := startNameServer(t)
	server.set(addresses[:8]...)
	listen, ips := freeAddr(t), clientIPs(1000)
	p := startCaddyAsking(t, server, balanceName(listen, port, "resolve_interval 1s", "resolve_hold 1s", "session_expiry 1h", "max_sessions 100000"))

	var mu sync.Mutex
	absent := make(map[string]time.Time) // when an address was in no answer last
	homes := make(map[string]string)
	seen := make(map[string]time.Time)
	lost, moved, served := 0, 0, 0
	present := slices.Clone(addresses[:8])
	change := func() {
		mu.Lock()
		defer mu.Unlock()
		if away := rand.IntN(len(present)); len(present) > 4 && rand.IntN(2) == 0 {
			present = slices.Delete(present, away, away+1)
		} else if i := slices.IndexFunc(addresses, func(a string) bool { return !slices.Contains(present, a) }); i >= 0 {
			present = append(present, addresses[i])
		}
		for _, a := range addresses {
			if !slices.Contains(present, a) {
				absent[a] = time.Now()
			}
		}
		server.set(present...)
	}
	visit := func(ip string) {
		began := time.Now()
		name, err := tryWho(ip, listen)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			lost++
			t.Errorf("%s: %v", ip, err)
			return
		}
		served++
		// The balancer may know up to some seconds later that an address is there or not.
		if home := homes[ip]; home != "" && home != name && absent[home].Before(seen[ip].Add(-5*time.Second)) {
			moved++
			t.Errorf("%s moved from %s, which is there, to %s", ip, home, name)
		}
		homes[ip], seen[ip] = name, began
	}
	var visits sync.WaitGroup
	changes, connections := time.NewTicker(time.Second), time.NewTicker(pause)
	defer changes.Stop()
	defer connections.Stop()
	for end := time.After(*churnTime); ; {
		select {
		case <-changes.C:
			change()
			continue
		case <-connections.C:
			ip := ips[rand.IntN(len(ips))]
			visits.Go(func() { visit(ip) })
			continue
		case <-end:
		}
		break
	}
	visits.Wait()
	t.Logf("%d connections served, %d lost, %d clients moved whose address stayed; %d KiB at the end", served, lost, moved, p.residentKB(t))
	if served == 0 {
		t.Error("no connection was served")
	}
}
