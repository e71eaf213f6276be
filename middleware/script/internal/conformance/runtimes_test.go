package conformance

import (
	goruntime "runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/node"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runtime is one of those under test.
type runtime struct {
	name string
	new  func(testing.TB) decide.Runtime
}

var runtimes = []*runtime{
	{"embedded", func(testing.TB) decide.Runtime { return embedded.NewRuntime() }},
	{"node", func(t testing.TB) decide.Runtime {
		r, err := node.Find(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}},
}

// perRuntime runs a test in each runtime.
func perRuntime(t *testing.T, test func(t *testing.T, r *runtime)) {
	for _, r := range runtimes {
		t.Run(r.name, func(t *testing.T) {
			if r.name == "node" && goruntime.GOOS == "windows" {
				t.Skip("Node.js is not available there")
			}
			test(t, r)
		})
	}
}

// in returns what differs between the runtimes.
func (r *runtime) in(embedded, node string) string {
	if r.name == "node" {
		return node
	}
	return embedded
}

// open loads a script that is the body of one middleware, function (socket, next).
func (r *runtime) open(t testing.TB, middleware string) *scripttest.Box {
	t.Helper()
	return r.load(t, decide.Options{}, scripttest.Middleware(middleware))
}

// load loads a script.
func (r *runtime) load(t testing.TB, o decide.Options, text string) *scripttest.Box {
	t.Helper()
	open := func(path string, o decide.Options) (*decide.Script, error) { return decide.Open(path, o, r.new(t)) }
	return scripttest.MustLoad(t, open, o, text)
}
