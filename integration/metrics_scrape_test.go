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

// typesFor returns how often a page of metrics tells the type of each family, for a client that would rather have OpenMetrics, as Prometheus would.
func typesFor(t testing.TB, client *http.Client, url string) map[string]int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, response.Status, err, text)
	}
	types := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		if found := typeLine.FindStringSubmatch(strings.TrimSpace(line)); found != nil {
			types[found[1]]++
		}
	}
	return types
}

// No family has two types where metrics are told as docs/metrics.md says: OpenMetrics has connections and connections_total be one family.
func TestFamiliesHaveOneType(t *testing.T) {
	t.Parallel()
	listen, without, with := freeAddr(t), freeAddr(t), freeAddr(t)
	p := startCaddy(t, balance(listen, "", greeters(t, 1)...)+
		"http://"+without+" {\n\tmetrics {\n\t\tdisable_openmetrics\n\t}\n}\nhttp://"+with+" {\n\tmetrics\n}\n")
	for name, types := range map[string]map[string]int{
		"the admin endpoint":          typesFor(t, p.admin, "http://localhost/metrics"),
		"metrics without OpenMetrics": typesFor(t, http.DefaultClient, "http://"+without),
	} {
		for family, n := range types {
			if n != 1 {
				t.Errorf("%s: %s has %d types", name, family, n)
			}
		}
		if types["caddy_sticky_connections"] == 0 || types["caddy_sticky_connections_total"] == 0 {
			t.Errorf("%s: there is no caddy_sticky_connections, or no caddy_sticky_connections_total, in %v", name, types)
		}
	}
	if types := typesFor(t, http.DefaultClient, "http://"+with); types["caddy_sticky_connections"] != 2 {
		t.Errorf("with OpenMetrics there are the types %v; if these are right, disable_openmetrics is not needed any more", types)
	}
}
