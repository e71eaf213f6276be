package l4sticky

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// ask answers a request as Caddy's admin endpoint does.
func ask(method, url, body string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	for _, route := range new(Admin).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			var failed caddy.APIError
			if err := route.Handler.ServeHTTP(w, r); errors.As(err, &failed) {
				http.Error(w, failed.Error(), failed.HTTPStatus)
			}
		})
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(method, url, strings.NewReader(body)))
	return answer
}

// joinUpstreams returns a pool of the test's name with some options and upstreams.
func joinUpstreams(t testing.TB, options Options, upstreams ...target.Config) *poolConfig {
	t.Helper()
	options.Pool = strings.ReplaceAll(t.Name(), "/", "-")
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	c, err := join(newConfig(t), options, upstreams, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.quit)
	return c
}

// TestUpstreamsOfSockets asks for an upstream that is a Unix socket, which has a slash at its beginning.
func TestUpstreamsOfSockets(t *testing.T) {
	c := joinUpstreams(t, Options{}, target.Config{Address: target.Address{Network: "unix", Dial: "/run/a.sock"}, Weight: 1})
	for _, path := range []string{"unix%2F%2Frun%2Fa.sock", "unix%2f%2frun%2fa%2Esock"} {
		for _, request := range [][2]string{{"GET", ""}, {"PATCH", `{"weight": 2}`}} {
			answer := ask(request[0], "/sticky/pools/"+c.name+"/upstreams/"+path, request[1])
			if answer.Code != http.StatusOK {
				t.Errorf("%s %s is answered %d %s %s", request[0], path, answer.Code, answer.Header().Get("Location"), answer.Body)
			}
		}
	}
}

// TestBodiesAreWhole refuses documents with something behind them.
func TestBodiesAreWhole(t *testing.T) {
	c := joinUpstreams(t, Options{}, target.Config{Address: target.Address{Network: "tcp", Dial: "127.0.0.1:1"}, Weight: 1})
	for _, behind := range []string{"", " \n", "{}", "}", "]", "x"} {
		want := http.StatusBadRequest
		if strings.TrimSpace(behind) == "" {
			want = http.StatusOK
		}
		if answer := ask("PATCH", "/sticky/pools/"+c.name+"/upstreams/127.0.0.1:1", `{"weight": 2}`+behind); answer.Code != want {
			t.Errorf("with %q behind it is answered %d", behind, answer.Code)
		}
	}
}
