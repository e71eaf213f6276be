package middleware

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

// TestPanicInAuthority is an error for who waits for the answer, and nothing for who comes later.
func TestPanicInAuthority(t *testing.T) {
	s := startService(t, "tcp", "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	a := provision(t, &Authorize{URL: s.URL})
	panicked := safelytest.InjectOnce(t, "authorize")
	if err := a.Decide(t.Context(), testClient("192.0.2.1")); err == nil || !strings.Contains(err.Error(), "panic: injected") || panicked() != 1 {
		t.Errorf("%v, and %d panics", err, panicked())
	}
	if err := a.Decide(t.Context(), testClient("192.0.2.1")); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
