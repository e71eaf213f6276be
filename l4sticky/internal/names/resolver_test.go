package names

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A testServer answers questions as a test wants it to, and notes the ports that they come from.
type testServer struct {
	addr string

	mu     sync.Mutex
	answer func(w dns.ResponseWriter, question *dns.Msg) // on a goroutine of its own
	ports  []int
}

// startServer runs a DNS server, over UDP and TCP, until the test ends.
func startServer(t *testing.T, answer func(w dns.ResponseWriter, question *dns.Msg)) *testServer {
	t.Helper()
	s := &testServer{answer: answer}
	packets, stream, err := listenBoth()
	for tries := 0; err != nil; tries++ {
		if tries == 20 {
			t.Fatal(err)
		}
		packets, stream, err = listenBoth()
	}
	s.addr = packets.LocalAddr().String()
	for _, running := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: stream, Handler: s}} {
		started := make(chan struct{})
		running.NotifyStartedFunc = func() { close(started) }
		go func() { _ = running.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = running.Shutdown() })
	}
	return s
}

// listenBoth listens at one port for UDP and TCP. Another process may have that of TCP already.
func listenBoth() (packets net.PacketConn, stream net.Listener, err error) {
	if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		return nil, nil, err
	}
	if stream, err = net.Listen("tcp", packets.LocalAddr().String()); err != nil {
		packets.Close()
	}
	return packets, stream, err
}

func (s *testServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	if from, ok := w.RemoteAddr().(*net.UDPAddr); ok {
		s.ports = append(s.ports, from.Port)
	}
	answer := s.answer
	s.mu.Unlock()
	answer(w, question)
}

func (s *testServer) set(answer func(w dns.ResponseWriter, question *dns.Msg)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// from returns the ports of the questions so far, each once.
func (s *testServer) from() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ports := slices.Clone(s.ports)
	slices.Sort(ports)
	return slices.Compact(ports)
}

// answering answers with addresses.
func answering(addresses ...string) func(w dns.ResponseWriter, question *dns.Msg) {
	return func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		for _, a := range addresses {
			answer.Answer = append(answer.Answer, &dns.A{Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(a)})
		}
		if _, packet := w.LocalAddr().(*net.UDPAddr); packet {
			answer.Truncate(dns.MinMsgSize)
		}
		_ = w.WriteMsg(answer)
	}
}

// silent doesn't answer before the test is over. Then it does, so that nothing waits any more.
func silent(t *testing.T) func(w dns.ResponseWriter, question *dns.Msg) {
	return func(w dns.ResponseWriter, question *dns.Msg) {
		<-t.Context().Done()
		unknown(w, question)
	}
}

// unknown answers that there is no such name.
func unknown(w dns.ResponseWriter, question *dns.Msg) {
	_ = w.WriteMsg(new(dns.Msg).SetRcode(question, dns.RcodeNameError))
}

func mustResolve(t *testing.T, r *Resolver, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), LookupTimeout)
	defer cancel()
	got, err := r.LookupNetIP(ctx, "ip4", "svc.test.")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, netip.Addr.Compare)
	if !slices.Equal(got, addrs(want...)) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// Questions share sockets, but not one for ever.
func TestSocketsAreShared(t *testing.T) {
	s := startServer(t, answering("10.0.0.1"))
	r := NewResolver(s.addr)
	const questions = 5 * socketUses
	for range questions {
		mustResolve(t, r, "10.0.0.1")
	}
	// The time of a generation may end while they are asked.
	if n := len(s.from()); n < questions/socketUses || n > 2*questions/socketUses {
		t.Errorf("%d questions came from %d ports", questions, n)
	}
}

// The sockets of a generation are closed when its time is over, also those that are in use then.
func TestSocketsExpire(t *testing.T) {
	sockets, s := new(sockets), startServer(t, answering())
	var kept [2]net.Conn
	for i := range kept {
		var err error
		if kept[i], err = sockets.dial(t.Context(), "udp", s.addr); err != nil {
			t.Fatal(err)
		}
	}
	kept[0].Close()
	sockets.expire()
	kept[1].Close()
	for i, conn := range kept {
		if _, err := conn.(*socket).UDPConn.Write([]byte("x")); err == nil {
			t.Errorf("socket %d is open", i)
		}
	}
	if s := sockets.take(s.addr); s != nil {
		t.Error("a socket is left")
	}
}

// A socket on which an answer is late is not used for another question.
func TestLateAnswer(t *testing.T) {
	s := startServer(t, silent(t))
	r := NewResolver(s.addr)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := r.LookupNetIP(ctx, "ip4", "svc.test."); err == nil {
		t.Fatalf("got %v", got)
	}
	// The resolver gives its socket back a moment after the look-up is over.
	before := s.from()
	s.set(answering("10.0.0.2"))
	for range 10 {
		mustResolve(t, r, "10.0.0.2")
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if later := s.ports[len(before):]; len(before) == 0 || slices.Contains(later, before[0]) {
		t.Errorf("questions come from %v, and before that from %v", later, before)
	}
}

// An answer that a packet does not hold is asked for over TCP.
func TestLongAnswer(t *testing.T) {
	var many []string
	for i := range 200 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String())
	}
	r := NewResolver(startServer(t, answering(many...)).addr)
	mustResolve(t, r, many...)
}

// One server after the other is asked until one answers. That there is no such name is an answer.
func TestServersInOrder(t *testing.T) {
	closed := startServer(t, unknown).addr + "0" // a port that is none
	good := startServer(t, answering("10.0.0.3")).addr
	mustResolve(t, NewResolver(closed, good), "10.0.0.3")
	began := time.Now()
	mustResolve(t, NewResolver(startServer(t, silent(t)).addr, good), "10.0.0.3")
	if took := time.Since(began); took < LookupTimeout/2-time.Second {
		t.Errorf("the first server had %v to answer", took)
	}
	knows := startServer(t, unknown).addr
	if got, err := NewResolver(knows, good).LookupNetIP(t.Context(), "ip4", "svc.test."); err == nil || !strings.Contains(err.Error(), knows) {
		t.Errorf("got %v from the second server, error %v", got, err)
	}
}

// No more than some questions are under way at a time.
func TestLookupsAreBounded(t *testing.T) {
	waiting, release := make(chan struct{}, 10*maxLookups), make(chan struct{})
	s := startServer(t, func(w dns.ResponseWriter, question *dns.Msg) {
		waiting <- struct{}{}
		<-release
		answering("10.0.0.1")(w, question)
	})
	r := NewResolver(s.addr)
	var all sync.WaitGroup
	for i := range 2 * maxLookups {
		all.Go(func() { // each with a name of its own, since look-ups of the same are one
			if _, err := r.LookupNetIP(t.Context(), "ip4", fmt.Sprintf("n%d.test.", i)); err != nil {
				t.Error(err)
			}
		})
	}
	for range maxLookups {
		<-waiting
	}
	select {
	case <-waiting:
		t.Error("another question is under way")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	all.Wait()
}
