package redis

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// try makes an update of each kind of call, and returns their errors.
func try(ctx context.Context, store *Store) error {
	return errors.Join(
		store.Update(ctx, "default", "n1", []stores.Update{{Client: client, Target: targetA, Live: true, TTL: time.Minute}}),
		func() error {
			_, err := store.Meet(ctx, "default", stores.Node{ID: "n1", Interval: time.Hour})
			return err
		}(),
		store.Set(ctx, "default", "n1", targetA, "drain", false),
	)
}

// mustFail fails the test unless all calls fail, with that text and without a password.
func mustFail(t *testing.T, store *Store, text string) {
	t.Helper()
	err := try(soon(t), store)
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 3 {
		t.Errorf("not all failed: %v", err)
	}
	if err != nil && (!strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "s3cret")) {
		t.Errorf("no %q in %v", text, err)
	}
	heard := make(chan stores.News, 1)
	if err := store.Listen(soon(t), "default", "n1", func(n stores.News) { heard <- n }); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

// A config is loaded while there is no server, which is found when there is one.
func TestServerComesLater(t *testing.T) {
	t.Parallel()
	s := newServer(t, "redis-server")
	store := open(t, "", s)
	mustFail(t, store, "refused")
	s.start()
	await(t, "the server", func() bool { return try(soon(t), store) == nil })
	s.kill()
	if err := try(soon(t), store); err == nil {
		t.Error("no error")
	}
	s.start()
	await(t, "the server", func() bool { return try(soon(t), store) == nil })
}

// While a server does not answer, calls return as soon as their context ends; after that it is the same connection.
func TestStoppedServer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	if err := try(soon(t), store); err != nil {
		t.Fatal(err)
	}
	before := s.cli("CLIENT", "LIST")
	s.signal(syscall.SIGSTOP)
	for range 3 * maxPending {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		err := store.Update(ctx, "default", "n1", []stores.Update{{Client: client, Target: targetA, TTL: time.Minute}})
		cancel()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
			t.Fatalf("%v after %v", err, took)
		}
	}
	s.signal(syscall.SIGCONT)
	if err := try(soon(t), store); err != nil {
		t.Error(err)
	}
	id, _, _ := strings.Cut(before, " ")
	if after := s.cli("CLIENT", "LIST"); !strings.HasPrefix(after, id+" ") || !strings.Contains(after, "name="+clientName) {
		t.Errorf("the connections were\n%s\nand are\n%s", before, after)
	}
}

// A full server refuses what is new. What is known is kept alive.
func TestFullServer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	known := stores.Update{Client: client, Target: targetA, Live: true, TTL: time.Minute}
	update(t, store, "n1", known)
	s.cli("CONFIG", "SET", "maxmemory", "1")
	known.TTL = time.Hour
	other := known
	other.Client = client.Next()
	updates := []stores.Update{other, known}
	if err := store.Update(t.Context(), "default", "n1", updates); err == nil || !strings.Contains(err.Error(), "maxmemory") {
		t.Error(err)
	}
	if updates[0].Kept != "" || updates[1].Kept != targetA || !updates[1].Known {
		t.Errorf("%+v", updates)
	}
	s.cli("CONFIG", "SET", "maxmemory", "0")
	if update(t, store, "n1", other).Known {
		t.Error("it was written")
	}
}

func TestReplica(t *testing.T) {
	t.Parallel()
	primary := startServer(t)
	replica := startServer(t, "--replicaof", "127.0.0.1 "+strings.TrimPrefix(primary.addr(), "127.0.0.1:"))
	mustFailToWrite(t, open(t, "", replica), "READONLY")
}

// mustFailToWrite is mustFail for a server to whose channels one may listen.
func mustFailToWrite(t *testing.T, store *Store, text string) {
	t.Helper()
	if err := try(soon(t), store); err == nil || strings.Count(err.Error(), text) != 3 {
		t.Error(err)
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--requirepass", "s3cret-1")
	mustFail(t, open(t, `{"password": "s3cret-2"}`, s), "WRONGPASS")
	mustFail(t, open(t, `{"username": "s3cret-3", "password": "s3cret-2"}`, s), "WRONGPASS")
	mustFail(t, open(t, ``, s), "NOAUTH")
	mustFail(t, open(t, `{"password": "s3cret-1", "database": 99}`, s), "out of range")
}

// Passwords and addresses may have placeholders.
func TestPlaceholders(t *testing.T) {
	s := startServer(t, "--requirepass", "s3cret")
	t.Setenv("STICKY_TEST_ADDRESS", s.addr())
	t.Setenv("STICKY_TEST_USER", "default")
	file := write(t, t.TempDir(), "password", []byte("s3cret\n"))
	store := open(t, `{"addresses": ["{env.STICKY_TEST_ADDRESS}"], "username": "{env.STICKY_TEST_USER}", "password": "{file.`+file+`}"}`)
	if err := try(soon(t), store); err != nil {
		t.Error(err)
	}
}

// allow makes the user that the documentation has for servers, or for Sentinels.
func allow(t *testing.T, s *server, at int) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/session_store.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := strings.Split(string(page), "ACL SETUSER ")
	rule, _, _ := strings.Cut(rules[1+at], "\n")
	rights := strings.Fields(strings.ReplaceAll(rule, "<password>", "s3cret"))
	if got := s.cli(append([]string{"ACL", "SETUSER"}, rights...)...); got != "OK" {
		t.Fatalf("%s: %s", rule, got)
	}
}

// A user needs no more rights than the documentation says.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	allow(t, s, 0)
	s.cli("ACL", "SETUSER", "default", "off") // what is left of it is this connection
	store := open(t, `{"username": "caddy", "password": "s3cret"}`, s)
	l := listen(t, store, "default", "other")
	if err := try(soon(t), store); err != nil {
		t.Error(err)
	}
	if got := l.next(t); got.Setting != "drain" {
		t.Errorf("%+v", got)
	}
	for _, node := range []string{"n1", "n1", "n2"} { // is renewed, and noted for another node
		update(t, store, node, stores.Update{Client: client, Target: targetA, Live: true, TTL: time.Hour})
	}
	if err := store.Set(soon(t), "default", "n1", targetB, "drain", true); err != nil {
		t.Error(err)
	}
	if got := l.next(t); got.Target != targetB {
		t.Errorf("%+v", got)
	}
	meet(t, store, stores.Node{ID: "n1", Leaving: true})
	update(t, store, "n1", stores.Update{Client: client, Any: true, TTL: time.Minute})
	if got := l.next(t); got.Client != client {
		t.Errorf("%+v", got)
	}
	foreign := open(t, `{"username": "caddy", "password": "s3cret", "key_prefix": "foreign"}`, s)
	mustFail(t, foreign, "NOPERM")
}

// What a server answers to the first commands of a client: that it speaks RESP3, and is no cluster.
const (
	helloAnswer  = "%1\r\n$5\r\nproto\r\n:3\r\n"
	singleAnswer = "-ERR This instance has cluster support disabled\r\n"
)

// A server may be any program that answers anything, or nothing, or ends its connections.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]string{
		"http":       {"HTTP/1.1 400 Bad Request\r\n\r\n"},
		"ssh":        {"SSH-2.0-OpenSSH_9.2\r\n"},
		"nothing":    {""},
		"resp2":      {"-ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `default` `s3cret`\r\n"},
		"echo":       {"-ERR you said HELLO 3 AUTH default s3cret\r\n"},
		"verbose":    {helloAnswer, singleAnswer, "!90004\r\nERR s3cret\n" + strings.Repeat("\x1b[31m s3cret ", 6924)[:89993] + "\r\n"},
		"ok":         {"+OK\r\n", "+OK\r\n", "+OK\r\n", "+OK\r\n"},
		"many":       {helloAnswer + strings.Repeat("+OK\r\n", 100)},
		"length":     {helloAnswer, singleAnswer, "$-5\r\n", "*1000000000000\r\n"},
		"early":      {helloAnswer, singleAnswer + ":1\r\n:1\r\n"},
		"pushes":     {helloAnswer, singleAnswer + ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"},
		"empty":      {helloAnswer, singleAnswer, "*0\r\n", "*1\r\n*0\r\n", "*4\r\n$1\r\nx\r\n*0\r\n*0\r\n*0\r\n"},
		"strange":    {helloAnswer, singleAnswer, "*1\r\n$0\r\n\r\n", "*1\r\n$1\r\nx\r\n", "*1\r\n:1\r\n", "_\r\n", "#t\r\n"},
		"subscribed": {helloAnswer, singleAnswer, "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"},
		"slots":      {helloAnswer, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:1\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, `{"addresses": ["`+serveGarbage(t, answers)+`"], "password": "s3cret"}`)
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				err := try(ctx, store)
				cancel()
				if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 3 {
					t.Errorf("not all failed: %v", err)
				}
				if text := err.Error(); strings.Contains(text, "s3cret") || strings.Count(text, "\n") > 2 || len(text) > 1000 || strings.Contains(text, "\x1b") {
					t.Errorf("the errors are %q", text)
				}
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				if err := store.Listen(ctx, "default", "n1", func(stores.News) { t.Error("news") }); err == nil {
					t.Error("no error of Listen")
				}
				cancel()
			}
		})
	}
}

// serveGarbage answers what comes on each connection by these answers, one after the other, the last one again and again. After
// an empty one there is none.
func serveGarbage(t *testing.T, answers []string) string {
	t.Helper()
	listener, err := net.Listen("tcp", freeport.Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				question := make([]byte, 64<<10)
				for i := 0; ; i++ {
					if _, err := conn.Read(question); err != nil {
						return
					}
					_, _ = conn.Write([]byte(answers[min(i, len(answers)-1)]))
				}
			}()
		}
	}()
	return listener.Addr().String()
}
