package upstreams

import (
	"net"
	"slices"
	"testing"
)

// The lowest priority takes the clients, and each higher one is a rank of backups.
func TestFromRecords(t *testing.T) {
	got := fromRecords([]*net.SRV{
		{Target: "a.test.", Port: 1, Priority: 10, Weight: 5},
		{Target: "b.test.", Port: 2, Priority: 30, Weight: 65535},
		{Target: "c.test.", Port: 3, Priority: 20},
		{Target: "d.test.", Port: 4, Priority: 10},
	})
	want := []Upstream{
		{Address: "a.test:1", Weight: 5},
		{Address: "b.test:2", Weight: 65535, Backup: 2},
		{Address: "c.test:3", Weight: 1, Backup: 1},
		{Address: "d.test:4", Weight: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
