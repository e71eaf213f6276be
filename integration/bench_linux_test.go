package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The benchmark plays every scenario with the binary under test. What it measures is of no interest here: the rounds are
// short and have company.
func TestBench(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bench := filepath.Join(dir, "bench")
	build := exec.Command("go", "build", "-race=false", "-trimpath=false", "-o", bench, "./bench") // it is the load that needs no race detector
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	output, err := exec.Command(bench, "-bin", program, "-balancers", "ours,ours-redis,direct", "-o", dir, "-rounds", "1",
		"-window", "100ms", "-settle", "10ms", "-clients", "4", "-idle", "50", "-rate", "100").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var results struct {
		Played []struct {
			Scenario, Balancer string
			Figures            map[string]float64
		}
	}
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, round := range results.Played {
		names = append(names, round.Balancer+" "+round.Scenario)
		if round.Figures["failed"] != 0 {
			t.Errorf("%s %s: connections failed: %v", round.Balancer, round.Scenario, round.Figures)
		}
	}
	slices.Sort(names)
	if got, want := strings.Join(names, "\n"), strings.Join([]string{
		"direct bulk-down-1", "direct bulk-down-8", "direct bulk-up-1", "direct bulk-up-8", "direct conn", "direct trips",
		"ours bulk-down-1", "ours bulk-down-8", "ours bulk-up-1", "ours bulk-up-8", "ours conn", "ours hole",
		"ours idle-64", "ours idle-64k", "ours refused", "ours reload", "ours script",
		"ours store-known", "ours store-live", "ours store-new", "ours store-paced", "ours trips",
		"ours-redis store-known", "ours-redis store-live", "ours-redis store-new", "ours-redis store-paced",
	}, "\n"); got != want {
		t.Errorf("played:\n%s\nwant:\n%s", got, want)
	}
	tables, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(tables)+string(data), dir) {
		t.Errorf("the results name a folder:\n%s", tables)
	}
}
