package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A keptPool is a pool whose sessions a folder keeps while no process runs.
type keptPool struct {
	folder, listen string
	handlers       func(options string, targets ...*target) string
}

func newKeptPool(t *testing.T) *keptPool {
	return &keptPool{t.TempDir(), freeAddr(t), sticky}
}

// start starts a process that has the pool with these targets.
func (k *keptPool) start(t *testing.T, options string, targets ...*target) *balancerProcess {
	t.Helper()
	return startCaddy(t, k.config(options, targets...))
}

func (k *keptPool) config(options string, targets ...*target) string {
	return k.configOf(server{k.listen, k.handlers(options, targets...)})
}

func (k *keptPool) configOf(servers ...server) string {
	return strings.Replace(caddyfile(servers...), "{\n", "{\n\tstorage file_system "+k.folder+"\n", 1)
}

// files returns the files that the folder has, those that are set aside last.
func (k *keptPool) files() []string {
	files, _ := filepath.Glob(filepath.Join(k.folder, "sticky", "sessions", "*", "*"))
	return files
}

// file returns the only file.
func (k *keptPool) file(t *testing.T) string {
	t.Helper()
	files := k.files()
	if len(files) != 1 {
		t.Fatalf("the storage has %q, want one file", files)
	}
	return files[0]
}

// awaitWrite waits until a process has written, however often it did before.
func (k *keptPool) awaitWrite(t *testing.T) {
	t.Helper()
	written := func() bool { // whole: while the storage writes a file, that has another name
		return slices.ContainsFunc(k.files(), func(file string) bool { return filepath.Base(file) == "default" })
	}
	await(t, "the sessions are written", written)
	for _, file := range k.files() {
		os.Remove(file)
	}
	await(t, "the sessions are written again", written)
}

// mustRestore fails unless the log tells of so many sessions.
func (p *balancerProcess) mustRestore(t *testing.T, fields string) {
	t.Helper()
	if want := `"sessions restored","pool":"default",` + fields; !strings.Contains(p.Log(), want) {
		t.Errorf("the log does not say %s:\n%s", want, p.Log())
	}
}

// mustSpread fails unless new clients are placed at both targets, which shows that those at one of them were not placed anew.
func mustSpread(t *testing.T, ips []string, listen string) {
	t.Helper()
	if homes := whoEach(t, ips, listen); len(homedAt(homes, "a")) == len(ips) {
		t.Fatal("all clients are placed at a, so sessions make no difference")
	}
}

// Clients are at their targets after a stop, though the config that is started then would place them elsewhere: both those that had left
// and those that had connections.
func TestSessionsOutliveAStop(t *testing.T) {
	t.Parallel()
	for name, handlers := range map[string]func(string, ...*target) string{
		"sticky_proxy": sticky,
		"sticky_ip": func(options string, targets ...*target) string {
			return stock("sticky_session", options, "", targets...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(60)
			pool.handlers = handlers
			first := pool.start(t, "persist on\nsession_expiry 5m", targets[0])
			homes := whoEach(t, ips[:29], pool.listen)
			_, homes[ips[29]] = hold(t, ips[29], pool.listen)
			first.end(t)
			second := pool.start(t, "persist on\nsession_expiry 5m", targets...)
			second.mustRestore(t, `"sessions":30,"sessions_expired":0,"sessions_unknown":0,"sessions_left_out":0`)
			mustAgree(t, "after a stop", whoEach(t, ips[:30], pool.listen), homes)
			mustSpread(t, ips[30:], pool.listen)
		})
	}
}

func TestKeptSessionsExpireMeanwhile(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(30)
	pool.start(t, "persist on\nsession_expiry 2s", targets[0]).end(t)
	pool.file(t)
	first := pool.start(t, "persist on\nsession_expiry 2s", targets[0])
	whoEach(t, ips, pool.listen)
	first.end(t)
	time.Sleep(2 * time.Second) // nothing runs that could tell
	second := pool.start(t, "persist on\nsession_expiry 5m", targets...)
	second.mustRestore(t, `"sessions":0,"sessions_expired":30,"sessions_unknown":0,"sessions_left_out":0`)
	mustSpread(t, ips, pool.listen)
}

// TestKeptSessionsOfTargetsThatAreGone has all but the sessions at a target that the config does not have any more.
func TestKeptSessionsOfTargetsThatAreGone(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(30)
	first := pool.start(t, "persist on\nsession_expiry 5m", targets...)
	atA := homedAt(whoEach(t, ips, pool.listen), "a")
	first.end(t)
	second := pool.start(t, "persist on\nsession_expiry 5m", targets[0])
	second.mustRestore(t, fmt.Sprintf(`"sessions":%d,"sessions_expired":0,"sessions_unknown":%d,"sessions_left_out":0`, len(atA), len(ips)-len(atA)))
	whoEach(t, ips, pool.listen)
}

// A process that is killed has lost what came after it had written last.
func TestSessionsOutliveAKill(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(30)
	options := "persist on\npersist_interval 1s\nsession_expiry 5m"
	path, adapter := writeConfig(t, pool.config(options, targets[0]))
	first := launch(t, "CADDY_ADMIN=unix/"+adminSocket(t), "run", "--config", path, "--adapter", adapter)
	homes := whoEach(t, ips[:29], pool.listen)
	_, homes[ips[29]] = hold(t, ips[29], pool.listen)
	for range 2 { // the first time, it may be what was there before the last client
		pool.awaitWrite(t)
	}
	_ = first.cmd.Process.Kill()
	<-first.exited
	second := pool.start(t, options, targets...)
	second.mustRestore(t, `"sessions":30,"sessions_expired":0,"sessions_unknown":0,"sessions_left_out":0`)
	mustAgree(t, "after a kill", whoEach(t, ips, pool.listen), homes)
}

// TestFilesThatCantBeRead sets them aside, a few of them, and begins without.
func TestFilesThatCantBeRead(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(30)
	first := pool.start(t, "persist on\nsession_expiry 5m", targets[0])
	whoEach(t, ips, pool.listen)
	first.end(t)
	file := pool.file(t)
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	future := []byte(strings.Replace(string(written), "sessions\n\x01", "sessions\n\x02", 1))
	for _, c := range []struct {
		kind string
		data []byte
	}{
		{"damaged", written[:len(written)-1]},
		{"damaged", nil},
		{"future", future},
		{"foreign", []byte("something else")},
		{"damaged", append(written[:len(written):len(written)], 0)},
	} {
		if err := os.WriteFile(file, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		caddy := pool.start(t, "persist on\nsession_expiry 5m", targets...)
		mustSpread(t, ips, pool.listen)
		caddy.end(t)
		told := regexp.MustCompile(`"sessions that can't be read were set aside","pool":"default","key":"([^"]+~` + c.kind + `)"`)
		found := told.FindStringSubmatch(caddy.Log())
		if found == nil {
			t.Fatalf("%s: the log does not match %v:\n%s", c.kind, told, caddy.Log())
		}
		if data, err := os.ReadFile(filepath.Join(pool.folder, filepath.FromSlash(found[1]))); err != nil || string(data) != string(c.data) {
			t.Errorf("%s: the file that is set aside has %q, %v", c.kind, data, err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s: %v", c.kind, err)
		}
	}
	if files := pool.files(); len(files) != 4 {
		t.Errorf("the storage has %q, want the sessions and three files that are set aside", files)
	}
}

// A storage that can't be used is a warning, and all else goes on.
func TestSessionsThatCantBeWritten(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(10)
	if err := os.WriteFile(filepath.Join(pool.folder, "sticky"), nil, 0o600); err != nil { // where the folder would be
		t.Fatal(err)
	}
	caddy := pool.start(t, "persist on\npersist_interval 1s", targets...)
	homes := whoEach(t, ips, pool.listen)
	for _, want := range []string{`"reading the sessions that were kept failed"`, `"keeping the sessions failed"`} {
		await(t, want, func() bool { return strings.Contains(caddy.Log(), want) })
	}
	mustAgree(t, "all the same", whoEach(t, ips, pool.listen), homes)
	caddy.end(t)
	if n := strings.Count(caddy.Log(), `"keeping the sessions failed"`); n > 2 {
		t.Errorf("the log tells %d times that writing failed", n)
	}
}

// Reloads go on with the sessions that there are. A config that brings the option has them written, one that does not have it writes
// no more, and a pool that ends while Caddy runs is written, too.
func TestReloadsOfKeptSessions(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 2), clientIPs(30)
	caddy := pool.start(t, "session_expiry 5m", targets[0])
	homes := whoEach(t, ips, pool.listen)
	caddy.reload(t, pool.config("persist on\nsession_expiry 5m", targets...))
	mustAgree(t, "after a reload", whoEach(t, ips, pool.listen), homes)
	if files := pool.files(); len(files) > 0 {
		t.Errorf("there is %q already", files)
	}
	without := pool.configOf(server{freeAddr(t), "echo"})
	caddy.reload(t, without)
	await(t, "the pool that has ended is written", func() bool { return len(pool.files()) == 1 })
	caddy.reload(t, pool.config("persist on\nsession_expiry 5m", targets...))
	caddy.mustRestore(t, `"sessions":30,"sessions_expired":0,"sessions_unknown":0,"sessions_left_out":0`)
	mustAgree(t, "the pool is there again", whoEach(t, ips, pool.listen), homes)

	caddy.reload(t, pool.config("persist on\npersist_interval 1s\nsession_expiry 5m", targets...))
	pool.awaitWrite(t) // the new interval applies
	caddy.reload(t, pool.config("session_expiry 5m", targets...))
	os.Remove(pool.file(t))
	caddy.end(t)
	if files := pool.files(); len(files) > 0 {
		t.Errorf("without the option there is %q", files)
	}
}

// A config that does not come to run writes nothing.
func TestConfigsThatDoNotRunKeepNothing(t *testing.T) {
	t.Parallel()
	pool, targets := newKeptPool(t), greeters(t, 2)
	path, adapter := writeConfig(t, pool.config("persist on", targets...))
	if output, err := caddyCommand(t, "validate", "--config", path, "--adapter", adapter).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	caddy := startCaddy(t, pool.configOf(server{freeAddr(t), "echo"}))
	refused := pool.configOf(server{pool.listen, sticky("persist on", targets...)}, server{freeAddr(t), sticky("persist on\nsession_expiry 1h", targets...)})
	if err := caddy.load(refused); err == nil {
		t.Error("the config was taken")
	}
	caddy.end(t)
	if files := pool.files(); len(files) > 0 {
		t.Errorf("there is %q", files)
	}
}

// The sessions are written when the connections are over, which may be long after the signal.
func TestSessionsAreKeptAfterTheGracePeriod(t *testing.T) {
	t.Parallel()
	pool, targets, ips := newKeptPool(t), greeters(t, 1), clientIPs(2)
	caddy := pool.start(t, "persist on\nsession_expiry 5m\ngrace_period 1h", targets...)
	conn, _ := hold(t, ips[0], pool.listen)
	who(t, ips[1], pool.listen)
	caddy.signal(t, syscall.SIGTERM)
	await(t, "caddy waits", func() bool { return strings.Contains(caddy.Log(), "waiting for open connections") })
	if files := pool.files(); len(files) > 0 {
		t.Errorf("there is %q while a connection is open", files)
	}
	conn.Close()
	<-caddy.exited
	pool.start(t, "persist on\nsession_expiry 5m", targets...).mustRestore(t, `"sessions":2,"sessions_expired":0,"sessions_unknown":0,"sessions_left_out":0`)
}
