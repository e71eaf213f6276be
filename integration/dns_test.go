package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

// nameServer is a DNS server whose answers a test changes.
type nameServer struct {
	ip         string // that it listens at
	resolvConf string // a file that has it as the only server

	mu      sync.Mutex
	answers map[string][]string // addresses by name
	records map[string][]dns.SRV
	rcode   int
	silent  bool
	asked   int
}

// startNameServer runs a DNS server until the test ends.
func startNameServer(t testing.TB) *nameServer {
	t.Helper()
	s := &nameServer{answers: make(map[string][]string), resolvConf: filepath.Join(t.TempDir(), "resolv.conf")}
	// A resolver asks port 53 only, and of this machine's own addresses each test has another.
	packets, ip, err := listenDNS()
	if err != nil {
		t.Fatal(err)
	}
	s.ip = ip
	stream, err := net.Listen("tcp", ip+":53") // for answers that a packet does not hold
	if err != nil {
		t.Fatal(err)
	}
	servers := []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: stream, Handler: s}}
	for _, server := range servers {
		go func() { _ = server.ActivateAndServe() }()
	}
	t.Cleanup(func() {
		for _, server := range servers {
			_ = server.Shutdown()
		}
		packets.Close()
		stream.Close()
	})
	// Without a search list, and with a short time-out.
	config := "nameserver " + ip + "\noptions timeout:1 attempts:1\n"
	if err := os.WriteFile(s.resolvConf, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func listenDNS() (packets net.PacketConn, ip string, err error) {
	for i := range 250 {
		ip = fmt.Sprintf("127.53.0.%d", 1+i)
		if packets, err = net.ListenPacket("udp", ip+":53"); err == nil {
			return packets, ip, nil
		}
	}
	return nil, "", err
}

// ServeDNS answers with the addresses of the question's family.
func (s *nameServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.silent {
		return
	}
	answer := new(dns.Msg).SetRcode(question, s.rcode)
	if s.rcode == dns.RcodeSuccess {
		q := question.Question[0]
		addresses, known := s.answers[q.Name]
		records, hasRecords := s.records[q.Name]
		if !known && !hasRecords {
			answer.Rcode = dns.RcodeNameError
		}
		for _, r := range records {
			if q.Qtype == dns.TypeSRV {
				r.Hdr = dns.RR_Header{Name: q.Name, Rrtype: dns.TypeSRV, Class: dns.ClassINET}
				answer.Answer = append(answer.Answer, &r)
			}
		}
		for _, a := range addresses {
			ip := net.ParseIP(a)
			switch is4 := ip.To4() != nil; {
			case q.Qtype == dns.TypeA && is4:
				answer.Answer = append(answer.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: ip})
			case q.Qtype == dns.TypeAAAA && !is4:
				answer.Answer = append(answer.Answer, &dns.AAAA{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET}, AAAA: ip})
			}
		}
		if len(addresses) > 0 { // the next answer begins with another one
			s.answers[q.Name] = append(slices.Clone(addresses[1:]), addresses[0])
		}
	}
	if _, packet := w.LocalAddr().(*net.UDPAddr); packet {
		answer.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(answer)
}

// set has the server answer with some addresses for svc.test.
func (s *nameServer) set(addresses ...string) { s.setName("svc.test", addresses...) }

// setName has the server answer with some addresses for a name.
func (s *nameServer) setName(name string, addresses ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[dns.Fqdn(name)], s.rcode, s.silent = slices.Clone(addresses), dns.RcodeSuccess, false
}

// setSRV has the server answer with some records for a name.
func (s *nameServer) setSRV(name string, records ...dns.SRV) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = make(map[string][]dns.SRV)
	}
	s.records[dns.Fqdn(name)], s.rcode, s.silent = records, dns.RcodeSuccess, false
}

// fail has it answer with an error, or not at all if that is negative.
func (s *nameServer) fail(rcode int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcode, s.silent = rcode, rcode < 0
}

// questions returns how many there have been.
func (s *nameServer) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// startCaddyAsking is startCaddy for a binary whose system asks the server for names.
func startCaddyAsking(t testing.TB, s *nameServer, config string) *balancerProcess {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may give a process a name server of its own")
	}
	path, adapter := writeConfig(t, config)
	socket := adminSocket(t)
	script := `mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`
	inside := func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", script, "sh", s.resolvConf}, cmd.Args...)
		cmd.Path = "/bin/sh"
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	p := launchAs(t, inside, "CADDY_ADMIN=unix/"+socket, "run", "--config", path, "--adapter", adapter)
	p.admin = adminClient(socket)
	t.Cleanup(func() { p.end(t) })
	return p
}
