package adminapi

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestHungUp asks an endpoint that closes the first connection without an answer, as one does that a reload replaces.
func TestHungUp(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return
		}
		var sent map[string]string
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || sent["state"] != "drain" {
			t.Errorf("the body: %v, %v", sent, err)
		}
		_, _ = w.Write([]byte(`{"state": "draining"}`))
	}))
	defer server.Close()
	client, err := NewClient(server.Listener.Addr().(*net.TCPAddr).String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var answer Upstream
	err = client.Do(t.Context(), http.MethodPatch, Path("pools", "default", "upstreams", "a:1"), nil, Override{State: "drain"}, &answer)
	if err != nil || answer.State != "draining" || asked.Load() != 2 {
		t.Errorf("%+v, %v, after %d requests", answer, err, asked.Load())
	}
}
