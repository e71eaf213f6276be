package embedded

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testPatience = scripttest.Patience
	shortRun     = scripttest.ShortRun
)

type box = scripttest.Box

var client, write = scripttest.Client, scripttest.Write

// open loads a script that is the body of one middleware, function (socket, next).
func open(t testing.TB, middleware string) *box {
	t.Helper()
	return load(t, decide.Options{}, scripttest.Middleware(middleware))
}

// load loads a script.
func load(t testing.TB, o decide.Options, text string) *box {
	t.Helper()
	return scripttest.MustLoad(t, loadPath, o, text)
}

// tryLoad loads the script balancer.js among files.
func tryLoad(t testing.TB, o decide.Options, files map[string]string) (*box, error) {
	t.Helper()
	return scripttest.Load(t, loadPath, o, files)
}

// loadPath loads the script that a path means.
func loadPath(path string, o decide.Options) (*decide.Script, error) {
	path, err := modules.Find(path)
	if err != nil {
		return nil, err
	}
	return decide.Open(path, o, NewRuntime())
}

// guilty loads a script in which something happens to one client only.
func guilty(t testing.TB, o decide.Options, fault string) *box {
	t.Helper()
	return load(t, o, scripttest.Guilty(fault))
}
