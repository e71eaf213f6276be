package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func testSite() site {
	return site{
		dir: "/site", listen: "127.0.0.1:9101", targets: []string{"127.0.0.1:9102", "127.0.0.1:9103", "127.0.0.1:9104"},
		redis: "127.0.0.1:9105", conns: 1000, script: "/npm/index.js",
	}
}

// Each balancer listens where it should and knows all targets, by a config in its own folder.
func TestConfigs(t *testing.T) {
	t.Parallel()
	s, names := testSite(), make(map[string]bool)
	for _, b := range balancers() {
		if names[b.name] || b.note == "" {
			t.Errorf("%s is there twice, or without a note", b.name)
		}
		names[b.name] = true
		if b.tool == "" {
			continue
		}
		config := b.config(s)
		addresses := append([]string{s.listen}, s.targets...)
		if b.redis {
			addresses = append(addresses, s.redis)
		}
		for _, address := range addresses {
			port := address[strings.LastIndexByte(address, ':')+1:]
			if strings.Count(config, port) != 1 {
				t.Errorf("%s: port %s is not in the config once:\n%s", b.name, port, config)
			}
		}
		if strings.Contains(config, "%!") {
			t.Errorf("%s: the config is badly formatted:\n%s", b.name, config)
		}
		if path, args := b.command(s); !strings.HasPrefix(path, s.dir) || !slices.Contains(args, path) {
			t.Errorf("%s does not get its config, %s: %v", b.name, path, args)
		}
	}
	if !json.Valid([]byte(loadBalancerConfig(s, 1))) {
		t.Error("the config of LoadBalancer.js is no JSON")
	}
	s.network = "seamless/"
	if config := oursConfig(s); !strings.Contains(config, "\tseamless/127.0.0.1:9101 {") {
		t.Errorf("the network is not in the config of ours:\n%s", config)
	}
}

// A quantile is true to 4 %, and the maximum exact.
func TestLatencies(t *testing.T) {
	t.Parallel()
	var l latencies
	if l.quantile(0.5) != 0 {
		t.Error("the median of nothing is not 0")
	}
	for i := range 100_000 {
		l.add(time.Duration(i) * time.Microsecond)
	}
	for _, q := range []float64{0.001, 0.1, 0.5, 0.99, 0.9999} {
		want := q * 100_000
		if got := float64(l.quantile(q)) / 1e3; got < 0.96*want || got > 1.04*want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if want := 99_999 * time.Microsecond; l.quantile(1) != want || l.max != want {
		t.Errorf("the maximum is %v and %v, want %v", l.quantile(1), l.max, want)
	}
	for _, d := range []time.Duration{-1, 0, 1, 31, 32, 63, 64, 65, 1 << 40, 1<<63 - 1} {
		if b := bucket(d); lowest(b) > max(d, 0) || b < len(l.buckets)-1 && lowest(b+1) > 0 && lowest(b+1) <= d {
			t.Errorf("%d is in bucket %d, which begins at %d", d, b, lowest(b))
		}
	}
}

// Cells are medians, with the range or not, or sums; who had no part has no line, and a figure that is missing is a dash.
func TestTable(t *testing.T) {
	t.Parallel()
	h := heading{"conn", "New connections", "what it is", []column{
		{"norm", "norm", "%.2f", spread},
		{"per_second", "per second", "%.0f", median},
		{"failed", "failed", "%.0f", total},
		{"norm", "to the first", "%.1f", ratio},
	}}
	rounds := []played{
		{Scenario: "conn", Balancer: "ours", Round: 1, Figures: map[string]float64{"norm": 0.7, "per_second": 300, "failed": 1}},
		{Scenario: "conn", Balancer: "ours", Round: 2, Figures: map[string]float64{"norm": 0.5, "per_second": 100, "failed": 0}},
		{Scenario: "conn", Balancer: "ours", Round: 3, Figures: map[string]float64{"norm": 0.6, "per_second": 250, "failed": 2}},
		{Scenario: "conn", Balancer: "haproxy", Round: 1, Figures: map[string]float64{"norm": 1.4}},
		{Scenario: "conn", Balancer: "haproxy", Round: 2, Figures: map[string]float64{"norm": 0.5}},
		{Scenario: "conn", Balancer: "direct", Figures: map[string]float64{"per_second": 10, "failed": 0}},
		{Scenario: "conn", Balancer: "direct", Error: "gone"},
		{Scenario: "trips", Balancer: "nginx", Figures: map[string]float64{"norm": 1}},
	}
	var text strings.Builder
	writeTable(&text, h, []string{"ours", "haproxy", "nginx", "direct"}, rounds)
	want := `## New connections

` + "`conn`" + `: what it is

| balancer | norm | per second | failed | to the first |
|---|---:|---:|---:|---:|
| ours | 0.60 (0.50–0.70) | 250 | 3 | 1.0 (1.0–1.0) |
| haproxy | 0.95 (0.50–1.40) | – | – | 1.5 (1.0–2.0) |
| direct (1 of 2 rounds failed) | – | 10 | 0 | – |

`
	if text.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", text.String(), want)
	}
	if even := middle([]float64{1, 2, 4, 8}); even != 3 {
		t.Errorf("the median of an even number is %v", even)
	}
}
