//go:build unix

package node

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

func TestMain(m *testing.M) {
	if script := os.Getenv("NODE_TEST_PARENT"); script != "" {
		beParent(script)
	}
	goleak.VerifyTestMain(m)
}

const (
	testPatience = scripttest.Patience
	shortRun     = scripttest.ShortRun
)

type journal = scripttest.Journal

var client, write = scripttest.Client, scripttest.Write

// box is a script under test.
type box struct {
	*scripttest.Box
	engine *engine // the last one that was started
}

// spy remembers the engine of a script.
type spy struct {
	*Runtime
	box *box
}

func (s spy) Start(ctx context.Context, script *decide.Script) (decide.Engine, error) {
	e, err := s.Runtime.Start(ctx, script)
	s.box.engine, _ = e.(*engine)
	return e, err
}

// open loads a script that is the body of one middleware, function (socket, next).
func open(t testing.TB, middleware string) *box {
	t.Helper()
	return run(t, decide.Options{}, scripttest.Middleware(middleware))
}

// run loads a script.
func run(t testing.TB, o decide.Options, text string) *box {
	t.Helper()
	b, err := tryLoad(t, o, map[string]string{"balancer.js": text})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tryLoad loads the script balancer.js, or .mjs, among files.
func tryLoad(t testing.TB, o decide.Options, files map[string]string) (b *box, err error) {
	t.Helper()
	r, err := Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b = new(box)
	b.Box, err = scripttest.Load(t, func(path string, o decide.Options) (*decide.Script, error) {
		return decide.Open(path, o, spy{r, b})
	}, o, files)
	return b, err
}

// guilty loads a script in which something happens to one client only.
func guilty(t testing.TB, o decide.Options, fault string) *box {
	t.Helper()
	return run(t, o, scripttest.Guilty(fault))
}
