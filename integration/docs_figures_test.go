package integration

import (
	"os"
	"strings"
	"testing"
)

// figure is a row of the table in docs/performance.md: a column of a table in the results of the benchmark.
type figure struct {
	label, section string
	column         int
	haproxy        string // which of HAProxy's configs
}

var figures = []figure{
	{"processor time of a new connection, µs", "New connections", 2, "haproxy"},
	{"processor time of a 64-byte round trip, µs", "64-byte round trips", 2, "haproxy"},
	{"processor time of 1 GiB to the client, s", "Bulk down, 1 connection(s)", 1, "haproxy-splice"},
	{"memory of an idle connection, bytes", "Memory of an idle connection, after 64 bytes each way", 1, "haproxy"},
	{"slowest new client while a target swallows SYNs, ms", "A target that swallows SYNs", 1, "haproxy"},
	{"connections lost in reloads under load", "Reload under load", 1, "haproxy"},
}

// The figures of docs/performance.md are those of the benchmark's results.
func TestFigures(t *testing.T) {
	results, err := os.ReadFile("bench/results/results.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		_, section, found := strings.Cut(string(results), "\n## "+f.section+"\n")
		if !found {
			t.Errorf("the results have no %q", f.section)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		row := "| " + f.label + " |"
		for _, balancer := range []string{"ours", f.haproxy, "nginx", "caddy-l4", "loadbalancer.js"} {
			row += " " + cell(section, balancer, f.column) + " |"
		}
		if !strings.Contains(string(page), "\n"+row+"\n") {
			t.Errorf("docs/performance.md does not have the row\n%s", row)
		}
	}
}

// cell returns the median in a column of a balancer's row, or a dash if the table has no such row.
func cell(section, balancer string, column int) string {
	_, row, found := strings.Cut(section, "\n| "+balancer+" |")
	if !found {
		return "–"
	}
	cells := strings.Split(row, "|")
	median, _, _ := strings.Cut(strings.TrimSpace(cells[column-1]), " ")
	return median
}
