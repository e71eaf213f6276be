package redis

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// TestMain waits for the end of all goroutines. The client of a cluster has some that sleep for up to five seconds, whatever becomes of it.
func TestMain(m *testing.M) {
	code := m.Run()
	for began := time.Now(); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Since(began) > 8*time.Second {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// A server is a process of redis-server or redis-sentinel.
type server struct {
	t       testing.TB
	program string
	port    int
	folder  string
	args    []string
	// password is that of redis-sentinel, which has one
	password string
	command  *exec.Cmd
	log      bytes.Buffer
}

// startServer starts a server without persistence.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	s := newServer(t, "redis-server", args...)
	s.start()
	return s
}

func newServer(t testing.TB, program string, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s must be installed: %v", program, err)
	}
	s := &server{t: t, program: program, port: freeport.Get(t), folder: t.TempDir(), args: args}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("%s %d:\n%s", program, s.port, s.log.String())
		}
	})
	return s
}

// start starts the server, which may have been killed, and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", s.folder}, s.args...)
	if s.program == "redis-sentinel" {
		args = s.args
	}
	s.command = exec.Command(s.program, args...)
	s.command.Stdout, s.command.Stderr = &s.log, &s.log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.await("an answer", func() bool {
		conn, err := net.Dial("tcp", s.addr())
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte("PING\r\n"))
		answer, _ := bufio.NewReader(conn).ReadString('\n')
		return answer != "" || strings.Contains(strings.Join(s.args, " "), "tls-port")
	})
}

func (s *server) kill() {
	if s.command == nil || s.command.Process == nil {
		return
	}
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
	s.command = nil
}

func (s *server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// cli sends a command and returns the answer as redis-cli would print it in a pipe: a line for each value.
func (s *server) cli(args ...string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var request strings.Builder
	if s.password != "" {
		request.WriteString("AUTH " + s.password + "\r\n")
	}
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write([]byte(request.String())); err != nil {
		s.t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	lines, err := readReply(answers)
	if s.password != "" && err == nil {
		lines, err = readReply(answers)
	}
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return strings.Join(lines, "\n")
}

func readReply(r *bufio.Reader) (lines []string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSpace(line)
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '$':
		if n < 0 {
			return []string{"(nil)"}, nil
		}
		text := make([]byte, n+2)
		if _, err := readFull(r, text); err != nil {
			return nil, err
		}
		return []string{string(text[:n])}, nil
	case '*':
		for range n {
			more, err := readReply(r)
			if err != nil {
				return nil, err
			}
			lines = append(lines, more...)
		}
		return lines, nil
	}
	return []string{line[1:]}, nil
}

func readFull(r *bufio.Reader, into []byte) (n int, err error) {
	for n < len(into) && err == nil {
		var m int
		m, err = r.Read(into[n:])
		n += m
	}
	return n, err
}

func (s *server) await(what string, reached func() bool) {
	s.t.Helper()
	await(s.t, what, reached)
}

// await fails the test unless something is reached soon.
func await(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s was not reached", what)
		}
	}
}

// open returns a store with these options in JSON, besides its addresses.
func open(t testing.TB, options string, servers ...*server) *Store {
	t.Helper()
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.addr())
	}
	store := new(Store)
	if options == "" {
		options = "{}"
	}
	if err := json.Unmarshal([]byte(options), store); err != nil {
		t.Fatal(err)
	}
	store.Addresses = append(store.Addresses, addresses...)
	if err := store.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, store) })
	return store
}

// closeStore cleans a store up and waits for the end of its connection.
func closeStore(t testing.TB, store *Store) {
	t.Helper()
	connection := store.connection
	if err := store.Cleanup(); err != nil {
		t.Error(err)
	}
	if _, used := connections.References(store.key); used {
		return
	}
	select {
	case <-connection.ended:
	case <-time.After(10 * time.Second):
		t.Error("the connection does not end")
	}
}

// update makes one update and returns what has come of it.
func update(t testing.TB, store *Store, node string, u stores.Update) stores.Update {
	t.Helper()
	updates := []stores.Update{u}
	if err := store.Update(t.Context(), "default", node, updates); err != nil {
		t.Fatal(err)
	}
	return updates[0]
}

// clients returns so many addresses.
func clients(n int) []netip.Addr {
	all := make([]netip.Addr, n)
	for i := range all {
		all[i] = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return all
}

// soon returns a context for what must not take long.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func write(t testing.TB, folder, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// processorTime returns how long the server has been on a processor.
func (s *server) processorTime() time.Duration {
	s.t.Helper()
	var sum time.Duration
	for _, field := range []string{"used_cpu_user:", "used_cpu_sys:"} {
		_, info, _ := strings.Cut(s.cli("INFO", "cpu"), field)
		info, _, _ = strings.Cut(info, "\r\n")
		d, err := time.ParseDuration(info + "s")
		if err != nil {
			s.t.Fatal(err)
		}
		sum += d
	}
	return sum
}

// calls returns how often a command was called.
func (s *server) calls(command string) int {
	s.t.Helper()
	_, info, _ := strings.Cut(s.cli("INFO", "commandstats"), "cmdstat_"+command+":calls=")
	info, _, _ = strings.Cut(info, ",")
	n, _ := strconv.Atoi(info)
	return n
}
