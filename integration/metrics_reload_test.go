package integration

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
)

// Whoever asks while configs come and go is told of all that was counted before. Caddy itself may cut an answer short, as it has a
// server for each config.
func TestMetricsDuringReloads(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 3)
	p := startCaddy(t, balance("seamless/"+listen, "", targets...))
	ended := make(chan error, 1)
	go func() {
		for i := range 20 {
			if err := p.load(balance("seamless/"+listen, "", targets[i%2:]...)); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	placed := regexp.MustCompile(`(?m)^caddy_sticky_sessions_total\{event="placed",pool="default"\} (\d+)$`)
	answers, ips := 0, clientIPs(2000)
	for i := range ips {
		who(t, ips[i], listen)
		response, err := p.admin.Get("http://localhost/metrics")
		if err != nil {
			continue
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			continue
		}
		answers++
		found := placed.FindSubmatch(text)
		if response.StatusCode != http.StatusOK || found == nil {
			t.Fatalf("%s\n%s", response.Status, text)
		}
		if n, _ := strconv.Atoi(string(found[1])); n != i+1 {
			t.Errorf("%d sessions are told to be placed, want %d", n, i+1)
		}
		select {
		case err := <-ended:
			if err != nil || answers == 0 {
				t.Errorf("after %d answers: %v", answers, err)
			}
			return
		default:
		}
	}
	t.Error("the reloads take too long")
}

// A config that is refused takes no metrics away.
func TestMetricsAfterRefusedReload(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	p := startCaddy(t, balance(listen, "", targets...))
	who(t, clientIPs(1)[0], listen)
	refused := fmt.Sprintf(`{"apps": {"layer4": {"servers": {"one": {"listen": [%q], "routes": [{"handle": [{"handler": "nothing"}]}]}}}}}`, listen)
	if err := p.load(refused); err == nil {
		t.Fatal("the config is not refused")
	}
	p.mustCount(t, 1, `sessions_total{event="placed",pool="default"}`)
}
