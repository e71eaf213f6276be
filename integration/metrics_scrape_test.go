package integration

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A scraped is what /metrics has of one family.
type scraped struct {
	kind   string
	labels map[string][]string // the values of each label, each once
	values map[string]string   // by the name of the sample with its labels
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE (caddy_sticky_\w+) (\w+)$`)
	sampleLine = regexp.MustCompile(`^((caddy_sticky_\w+?)(?:\{(.*)\})?) (\S+)$`)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// metrics returns all of ours that /metrics has.
func (p *balancerProcess) metrics(t testing.TB) map[string]*scraped {
	t.Helper()
	families := make(map[string]*scraped)
	var current *scraped
	for line := range strings.Lines(p.metricsText(t)) {
		line = strings.TrimSuffix(line, "\n")
		if found := typeLine.FindStringSubmatch(line); found != nil {
			current = &scraped{kind: found[2], labels: make(map[string][]string), values: make(map[string]string)}
			families[found[1]] = current
		}
		found := sampleLine.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		current.values[found[1]] = found[4]
		for _, pair := range labelPair.FindAllStringSubmatch(found[3], -1) {
			if name, value := pair[1], pair[2]; name != "le" && !slices.Contains(current.labels[name], value) {
				current.labels[name] = append(current.labels[name], value)
			}
		}
	}
	return families
}

func (p *balancerProcess) metricsText(t testing.TB) string {
	t.Helper()
	response, err := p.admin.Get("http://localhost/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v\n%s", response.Status, err, text)
	}
	return string(text)
}

// value returns the value of one of ours, with the labels in alphabetical order.
func (p *balancerProcess) value(t testing.TB, format string, args ...any) float64 {
	t.Helper()
	name := "caddy_sticky_" + fmt.Sprintf(format, args...)
	text := p.metric(t, name)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%s is %q", name, text)
	}
	return value
}

// mustCount waits until a metric has a value.
func (p *balancerProcess) mustCount(t testing.TB, want float64, format string, args ...any) {
	t.Helper()
	name := fmt.Sprintf(format, args...)
	await(t, fmt.Sprintf("%s is %v", name, want), func() bool { return p.value(t, "%s", name) == want })
}

// everyMetric is a config that has all families.
func everyMetric(t testing.TB, listen string, targets ...*target) string {
	return guarded(listen, "rate_limit {\nconnections 1000\n}\nauthorize http://"+freeAddr(t)+" {\non_error allow\n}", targets[0])
}
