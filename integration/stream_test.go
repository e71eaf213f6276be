package integration

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	kiB = 1 << 10
	miB = 1 << 20
)

// noise returns n bytes that are the same each time and yet not compressible or repeating, so that
// lost, doubled and swapped pieces all show.
func noise(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

func digest(r io.Reader) (string, error) {
	hash := sha256.New()
	_, err := io.Copy(hash, r)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// digester serves by reading to the end and answering with a digest.
func digester(conn *net.TCPConn) {
	if sum, err := digest(conn); err == nil {
		_, _ = io.WriteString(conn, sum+"\n")
	}
}

// What a client sends before a target accepts arrives whole and in order, though a dead target and
// one that swallows SYNs come first.
func TestEarlyBytes(t *testing.T) {
	t.Parallel()
	listen := freeAddr(t)
	dead, good := startTarget(t, "dead", digester), startTarget(t, "good", digester)
	dead.kill()
	hole := startHole(t, "hole", digester)
	startCaddy(t, balance(listen, "dial_timeout 500ms\n"+backups(good), dead, hole.target))

	each(4, func(i int) {
		conn, err := tryDial(clientIPs(4)[i], listen)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := io.Copy(conn, noise(byte(i), miB)); err != nil {
			t.Error(err)
		}
		_ = conn.CloseWrite()
		got, err := readLine(conn)
		want, _ := digest(noise(byte(i), miB))
		if got != want || err != nil {
			t.Errorf("the target got something else than was sent: digest %q, %v; want %q", got, err, want)
		}
	})
}

// A greeting needs no byte of the client, and none after a failover.
func TestServerSpeaksFirst(t *testing.T) {
	eachNetwork(t, serverSpeaksFirst)
}

func serverSpeaksFirst(t *testing.T, network string) {
	direct, failing := freeAddr(t), freeAddr(t)
	targets := greeters(t, 2)
	targets[0].kill()
	startCaddy(t, caddyfile(
		server{network + direct, sticky("pool direct", targets[1])},
		server{network + failing, sticky("pool failing\ndeactivation_duration 1ms\n"+backups(targets[1]), targets[0])},
	))
	for _, listen := range []string{direct, failing} {
		for _, ip := range clientIPs(10) {
			asked := time.Now()
			if name := who(t, ip, listen); name != "b" {
				t.Errorf("%q greeted", name)
			}
			if took := time.Since(asked); took > time.Second {
				t.Errorf("the greeting took %v", took)
			}
		}
	}
}

// A protocol in which the client speaks first, turn by turn.
func TestClientSpeaksFirst(t *testing.T) {
	t.Parallel()
	listen := freeAddr(t)
	startCaddy(t, balance(listen, "", startTarget(t, "a", answer("a"))))
	conn := dialFrom(t, "127.0.0.2", listen)
	for range 100 {
		if _, err := io.WriteString(conn, "who?\n"); err != nil {
			t.Fatal(err)
		}
		if name := mustReadLine(t, conn); name != "a" {
			t.Fatalf("%q answered", name)
		}
	}
}

// A client that has said all it has to say gets an answer that is computed afterwards.
func TestClientHalfCloses(t *testing.T) {
	t.Parallel()
	listen, heard, speak := freeAddr(t), make(chan string, 1), make(chan struct{})
	startCaddy(t, balance(listen, "", startTarget(t, "a", func(conn *net.TCPConn) {
		all, _ := io.ReadAll(conn)
		heard <- string(all)
		<-speak
		_, _ = io.WriteString(conn, "a late answer")
	})))
	conn := dialFrom(t, "127.0.0.2", listen)
	_, _ = io.WriteString(conn, "question")
	_ = conn.CloseWrite()
	if got := <-heard; got != "question" {
		t.Errorf("the target heard %q", got)
	}
	time.Sleep(200 * time.Millisecond) // a balancer that closes both sides would have done so by now
	close(speak)
	if got, err := io.ReadAll(conn); string(got) != "a late answer" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
}

// A target that has said all it has to say still hears what the client says later.
func TestTargetHalfCloses(t *testing.T) {
	t.Parallel()
	listen, heard := freeAddr(t), make(chan string, 1)
	startCaddy(t, balance(listen, "", startTarget(t, "a", func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "farewell")
		_ = conn.CloseWrite()
		all, _ := io.ReadAll(conn)
		heard <- string(all)
	})))
	conn := dialFrom(t, "127.0.0.2", listen)
	if got, err := io.ReadAll(conn); string(got) != "farewell" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
	time.Sleep(200 * time.Millisecond) // a balancer that closes both sides would have done so by now
	if _, err := io.WriteString(conn, "late words"); err != nil {
		t.Error(err)
	}
	_ = conn.CloseWrite()
	if got := <-heard; got != "late words" {
		t.Errorf("the target heard %q", got)
	}
}

// 1 GiB each way at the same time arrives whole, through an event loop, where splice carries it, and 64 MiB through the
// buffers of goroutines.
func TestBulk(t *testing.T) {
	t.Parallel()
	for way, size := range map[string]int64{"loop": kiB * miB, "goroutines": 64 * miB} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				size = 64 * miB
			}
			bulk(t, ways[way], size)
		})
	}
}

func bulk(t *testing.T, front string, size int64) {
	listen, sums, poured, finish := freeAddr(t), make(chan uint64, 1), make(chan uint64, 1), make(chan struct{})
	defer close(finish) // until then the target must not close what the client still reads
	startCaddy(t, caddyfile(server{"seamless/" + listen, front + sticky("", startTarget(t, "a", func(conn *net.TCPConn) {
		go func() {
			sum, _ := checksum(conn)
			sums <- sum
		}()
		poured <- pourNoise(conn, 2, size)
		<-finish
	}))}))
	conn := dialFrom(t, "127.0.0.2", listen)
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	sent := make(chan uint64, 1)
	go func() { sent <- pourNoise(conn, 1, size) }()
	got, err := checksum(conn)
	if want := <-poured; got != want || err != nil {
		t.Errorf("the client got something else than was sent: %v", err)
	}
	if want := <-sent; <-sums != want {
		t.Error("the target got something else than was sent")
	}
}

// pourNoise sends n bytes, whole blocks of them, ends its direction and returns their checksum. It is one block of noise
// again and again, each time with its number written into it.
func pourNoise(conn *net.TCPConn, seed byte, n int64) uint64 {
	block, _ := io.ReadAll(noise(seed, 256*kiB))
	hash := xxhash.New()
	for i := range n / int64(len(block)) {
		binary.NativeEndian.PutUint64(block[len(block)/2:], uint64(i))
		_, _ = hash.Write(block)
		if _, err := conn.Write(block); err != nil {
			break
		}
	}
	_ = conn.CloseWrite()
	return hash.Sum64()
}

// checksum is digest for much: it tells damage, not malice.
func checksum(r io.Reader) (uint64, error) {
	hash := xxhash.New()
	_, err := io.CopyBuffer(hash, struct{ io.Reader }{r}, make([]byte, 256*kiB))
	return hash.Sum64(), err
}

func pour(conn *net.TCPConn, r io.Reader) {
	_, _ = io.CopyBuffer(struct{ io.Writer }{conn}, r, make([]byte, 256*kiB))
	_ = conn.CloseWrite()
}

// A reader that stalls stalls its writer; the balancer's memory does not grow instead, and nothing is
// lost when it goes on. Not parallel, because of the memory measured.
func TestBackPressure(t *testing.T) {
	conns := make(chan *net.TCPConn, 1)
	release := make(chan struct{})
	defer close(release)
	listen := freeAddr(t)
	caddy := startCaddy(t, balance(listen, "", startTarget(t, "a", func(conn *net.TCPConn) {
		conns <- conn
		<-release
	})))
	client := dialFrom(t, "127.0.0.2", listen)
	target := <-conns
	t.Run("up", func(t *testing.T) { stall(t, caddy, client, target) })
	t.Run("down", func(t *testing.T) { stall(t, caddy, target, client) })
}

// stall writes up to 256 MiB until that blocks, then reads what came.
func stall(t *testing.T, caddy *balancerProcess, writer, reader *net.TCPConn) {
	before := caddy.residentKB(t)
	source := noise(1, 256*miB)
	hash := sha256.New()
	total, chunk := 0, make([]byte, 256*kiB)
	for {
		if _, err := io.ReadFull(source, chunk); err != nil {
			t.Fatal("256 MiB were taken from a writer whose reader stalls")
		}
		_ = writer.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := writer.Write(chunk)
		hash.Write(chunk[:n])
		total += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	grown := (caddy.residentKB(t) - before) / kiB
	t.Logf("blocked after %d MiB, memory grew by %d MiB", total/miB, grown)
	if grown > 32 {
		t.Errorf("the balancer's memory grew by %d MiB", grown)
	}
	_ = reader.SetReadDeadline(time.Now().Add(patience))
	got, err := digest(io.LimitReader(reader, int64(total)))
	if want := hex.EncodeToString(hash.Sum(nil)); got != want || err != nil {
		t.Errorf("the reader got something else than was sent: %v", err)
	}
}
