package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The metrics are at an address of their own, as a Prometheus asks for them.
func TestExampleMonitoring(t *testing.T) {
	targets, port, metrics := greeters(t, 2), freePort(t), freePort(t)
	t.Setenv("TARGETS", addresses("", targets...))
	startExample(t, "monitoring", map[string]int{"PORT": port, "METRICS": metrics})
	hold(t, "127.0.0.2", fmt.Sprintf("127.0.0.1:%d", port))
	url := fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics)
	for family, n := range typesFor(t, http.DefaultClient, url) {
		if n != 1 {
			t.Errorf("%s has %d types", family, n)
		}
	}
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range []string{`connections{pool="default"} 1`, `sessions_total{event="placed",pool="default"} 1`} {
		if !strings.Contains(string(text), "\ncaddy_sticky_"+sample) {
			t.Errorf("%s is missing in\n%s", sample, text)
		}
	}
}
