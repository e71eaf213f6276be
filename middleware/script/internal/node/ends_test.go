//go:build unix

package node

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// loggedPID returns the number of the process that has printed it.
func loggedPID(t testing.TB, log *journal) int {
	t.Helper()
	log.Await(t, "pid ")
	_, text, _ := strings.Cut(log.String(), "pid ")
	text, _, _ = strings.Cut(text, ".")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func isGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func awaitGone(t testing.TB, pid int) {
	t.Helper()
	for end := time.Now().Add(testPatience); !isGone(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

const hanging = `console.log('pid ' + process.pid + '.');
	module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
		console.log('asked');
		setImmediate(() => { for (;;); });
	});`

func beParent(script string) {
	r, err := Find(context.Background(), "")
	if err != nil {
		panic(err)
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, nil))
	s, err := decide.Open(script, decide.Options{RunLimit: time.Hour, Logger: logger}, r)
	if err != nil {
		panic(err)
	}
	_ = s.Decide(context.Background(), client("192.0.2.1"))
	os.Exit(0)
}

func TestEndsWithParent(t *testing.T) {
	script := filepath.Join(t.TempDir(), "balancer.js")
	write(t, script, hanging)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "NODE_TEST_PARENT="+script)
	log := new(journal)
	parent.Stdout, parent.Stderr = log, log
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := loggedPID(t, log)
	log.Await(t, "asked")
	if isGone(pid) {
		t.Fatal("it is gone already")
	}
	_ = parent.Process.Kill()
	awaitGone(t, pid)
	_ = parent.Wait()
}

func TestCloseEndsProcess(t *testing.T) {
	b := run(t, decide.Options{}, `console.log('pid ' + process.pid + '.');
		process.on('exit', () => require('fs').writeFileSync(__dirname + '/bye', ''));
		module.exports.run = () => {};`)
	b.Close()
	awaitGone(t, loggedPID(t, b.Log))
	if _, err := os.Stat(filepath.Join(filepath.Dir(b.Path), "bye")); err != nil {
		t.Error(err)
	}
	b = run(t, decide.Options{}, hanging)
	go b.Ask("192.0.2.1")
	b.Log.Await(t, "asked")
	began := time.Now()
	b.Close()
	if took := time.Since(began); took > 10*patience {
		t.Errorf("closing took %v", took)
	}
	awaitGone(t, loggedPID(t, b.Log))
}
