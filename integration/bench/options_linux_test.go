package main

import (
	"slices"
	"testing"
)

// Scenarios are chosen by the beginnings of their names and balancers by name, in the order of the tables.
func TestOptions(t *testing.T) {
	t.Parallel()
	o, err := readOptions([]string{"-only", "bulk,conn", "-balancers", "nginx-2,ours", "-network", "seamless"})
	if err != nil {
		t.Fatal(err)
	}
	var scenarios []string
	for _, s := range o.scenarios {
		scenarios = append(scenarios, s.name)
	}
	if want := []string{"conn", "bulk-down-1", "bulk-down-8", "bulk-up-1", "bulk-up-8"}; !slices.Equal(scenarios, want) {
		t.Errorf("the scenarios are %v, want %v", scenarios, want)
	}
	if got, want := balancerNames(o.balancers), []string{"ours", "nginx-2"}; !slices.Equal(got, want) {
		t.Errorf("the balancers are %v, want %v", got, want)
	}
	if o.network != "seamless/" {
		t.Errorf("the network is %q", o.network)
	}
	for _, wrong := range [][]string{
		{"-only", "connn"}, {"-only", "conn,"}, {"-balancers", "nginx,envoy"}, {"-rounds", "0"}, {"-window", "1ms"}, {"conn"},
	} {
		if _, err := readOptions(wrong); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}

// No two clients have the same address, none has one of those that balancers and targets use, and none is outside of loopback.
func TestSources(t *testing.T) {
	t.Parallel()
	seen := make(map[[4]byte]bool)
	for client := range 200_000 {
		ip := source(client)
		if seen[ip] || ip[0] != 127 || ip[1] == 0 || ip[3] == 0 || ip[3] == 255 {
			t.Fatalf("client %d has the address %v", client, ip)
		}
		seen[ip] = true
	}
	for _, elsewhere := range []string{"10.0.0.1:80", "[::1]:80", "localhost:80", "127.0.0.1", ""} {
		if _, err := parseAddress(elsewhere); err == nil {
			t.Errorf("%q is accepted", elsewhere)
		}
	}
}
