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
	for _, accept := range []string{"text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", accept)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if kind, _, _ := strings.Cut(accept, ";"); err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), kind) {
			t.Fatalf("%s was asked for, and %s came: %v", accept, response.Header.Get("Content-Type"), err)
		}
		for _, sample := range []string{`connections{pool="default"} 1`, `sessions_total{event="placed",pool="default"} 1`} {
			if !strings.Contains(string(text), "\ncaddy_sticky_"+sample) {
				t.Errorf("%s is missing in\n%s", sample, text)
			}
		}
	}
}
