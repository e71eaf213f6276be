package middleware_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	jsscript "github.com/caddy-sticky/caddy-sticky/middleware/script"
)

// scriptFile writes a script whose middleware has this body.
func scriptFile(t testing.TB, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "balancer.js")
	rewrite(t, path, body)
	return path
}

func rewrite(t testing.TB, path, body string) {
	t.Helper()
	text := "module.exports.run = function (balancer) {\n" +
		"balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {\n" + body + "\n}); };\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func scriptMatcher(path string) string {
	return fmt.Sprintf(`{"middleware": {"chain": [{"middleware": "script", "path": %q}]}}`, path)
}

func TestScript(t *testing.T) {
	path := scriptFile(t, `console.log('asked by', socket.remoteAddress); next(Math.random() >= 0 && 'no ' + socket.remoteAddress);`)
	address := serve(t, route(scriptMatcher(path), "never"), route(not(scriptMatcher(path)), "sorry"))
	must(t, address, "", "sorry")
	if reason := blocks(t, 1)[0]["reason"]; reason != "no ::ffff:127.0.0.1" {
		t.Errorf("reason %v", reason)
	}
	said := observedLogs.FilterMessage("asked by ::ffff:127.0.0.1").All()
	if len(said) != 1 || said[0].LoggerName != "layer4.middleware.script" {
		t.Errorf("said %v", said)
	}
}

// awaitSaid waits until a script has printed a word.
func awaitSaid(t testing.TB, word string) {
	t.Helper()
	for deadline := time.Now().Add(patience); observedLogs.FilterMessage(word).Len() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the script did not say %q", word)
		}
	}
}

// The matcher's timeout is the script's.
func TestScriptTimeout(t *testing.T) {
	match := strings.Replace(scriptMatcher(scriptFile(t, "")), "]}}", `], "timeout": "50ms"}}`, 1)
	must(t, serve(t, route(match, "never")), "", "")
	if reason := blocks(t, 1)[0]["reason"]; reason != "no decision in time, which is 50ms" {
		t.Errorf("reason %v", reason)
	}
}

// A reload reads the script anew; one that is broken changes nothing.
func TestScriptReload(t *testing.T) {
	path := scriptFile(t, `next();`)
	address, file := listen(t)
	run(t, file, route(scriptMatcher(path), "one"))
	t.Cleanup(stop(t))
	must(t, address, "", "one")

	rewrite(t, path, `oops(`)
	var config caddy.Config
	text := fmt.Sprintf(`{"admin": {"disabled": true}, "apps": {"layer4": {"servers": {"s": {"listen": ["fd/%d"], "routes": [%s]}}}}}`,
		file, route(scriptMatcher(path), "two"))
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Run(&config); err == nil || !strings.Contains(err.Error(), "path: "+path+":4:1: SyntaxError") {
		t.Errorf("got %v", err)
	}
	must(t, address, "", "one")

	rewrite(t, path, `next('changed');`)
	run(t, file, route(scriptMatcher(path), "three"))
	must(t, address, "", "")
}

// Who waits for a decision when the config changes gets it from the script that was asked.
func TestScriptReloadWhileWaiting(t *testing.T) {
	path := scriptFile(t, `console.log('asked'); setTimeout(next, 300);`)
	address, file := listen(t)
	run(t, file, route(scriptMatcher(path), "one"))
	t.Cleanup(stop(t))
	observedLogs.TakeAll()
	conn := dial(t, address)
	awaitSaid(t, "asked")
	run(t, file, route(scriptMatcher(path), "two"))
	if answer, err := io.ReadAll(conn); string(answer) != "one" || err != nil {
		t.Errorf("got %q and %v", answer, err)
	}
}

// A script can count who is in: 'close' comes when a connection ends that was let in.
func TestScriptSeesTheEnd(t *testing.T) {
	path := scriptFile(t, `
		if (globalThis.open) return next('one at a time');
		globalThis.open = socket;
		console.log('came');
		socket.on('close', () => { globalThis.open = null; console.log('left'); });
		next();`)
	address := serve(t, strings.Replace(route(scriptMatcher(path), "in "), `"word"`, `"listen": true, "word"`, 1))
	conn := dial(t, address)
	awaitSaid(t, "came")
	must(t, address, "", "")
	if _, err := io.WriteString(conn, "12345"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); string(answer) != "in 12345" || err != nil {
		t.Errorf("got %q and %v", answer, err)
	}
	awaitSaid(t, "left")
	must(t, address, "hello", "in hello")
}

// A client that was let in can be kicked while a handler waits for it, and its connection is over then.
func TestScriptKicks(t *testing.T) {
	path := scriptFile(t, `
		socket.on('close', () => console.log('kicked'));
		setTimeout(() => socket.destroy(), 20);
		next();`)
	address := serve(t, strings.Replace(route(scriptMatcher(path), "in "), `"word"`, `"listen": true, "word"`, 1))
	observedLogs.TakeAll()
	must(t, address, "", "")
	awaitSaid(t, "kicked")
}

func TestScriptProvision(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	for path, want := range map[string]string{
		"":               "path: must be given, such as ./balancer.js",
		"/nowhere/x.js":  "path: cannot find the file /nowhere/x.js",
		"{env.NOTHING9}": "path: ",
	} {
		s := &jsscript.Script{Path: path}
		err := s.Provision(ctx)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", path, err, want)
		}
		_ = s.Cleanup() // as Caddy does after a failure, too
	}
	t.Setenv("SCRIPTS", filepath.Dir(scriptFile(t, "next();")))
	s := &jsscript.Script{Path: "{env.SCRIPTS}/balancer.js"}
	if err := s.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
}

// A relative path is that of a file beside the Caddyfile, if there is one.
func TestScriptPath(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, path, want string }{
		{config, "./balancer.js", filepath.Join(folder, "balancer.js")},
		{config, "../x/balancer.js", filepath.Join(filepath.Dir(folder), "x", "balancer.js")},
		{config, "/etc/balancer.js", "/etc/balancer.js"},
		{config, "{env.SCRIPTS}/balancer.js", "{env.SCRIPTS}/balancer.js"},
		{"none", "./balancer.js", "./balancer.js"},
	} {
		tokens, err := caddyfile.Tokenize([]byte("script "+c.path), c.file)
		if err != nil {
			t.Fatal(err)
		}
		s := new(jsscript.Script)
		if err := s.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil || s.Path != c.want {
			t.Errorf("%s in %s: got %q and %v, want %q", c.path, c.file, s.Path, err, c.want)
		}
	}
}
