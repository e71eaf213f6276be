package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The demo of the README: a balancer and three HTTP targets in one Caddyfile, tried with requests from
// several addresses. Only its ports are changed here.
func TestDemo(t *testing.T) {
	t.Parallel()
	demo, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	listen := freePort(t)
	ports := []string{"8080", strconv.Itoa(listen)}
	for _, port := range []string{"8001", "8002", "8003"} {
		ports = append(ports, port, strconv.Itoa(freePort(t)))
	}
	startCaddy(t, strings.NewReplacer(ports...).Replace(string(demo)))

	used := make(map[string]bool)
	for _, ip := range clientIPs(30) {
		home := get(t, ip, listen)
		used[home] = true
		for range 3 {
			if name := get(t, ip, listen); name != home {
				t.Errorf("%s was answered by %q and by %q", ip, home, name)
			}
		}
	}
	if len(used) != 3 {
		t.Errorf("30 clients were answered by %v, want three targets", used)
	}
}

// get makes a request on a connection of its own and returns the body of the answer.
func get(t testing.TB, ip string, port int) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: patience}
	client := http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		Timeout:   patience,
	}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %q, %v", response.Status, body, err)
	}
	return string(body)
}
