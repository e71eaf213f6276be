package integration

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// The reason of a deactivation says which address was dialled, of a name that has several, and whichever way the connection is carried.
func TestDialErrorsNameTheAddress(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, good := freeAddr(t), greeters(t, 1)
		_, port, _ := net.SplitHostPort(freeAddr(t))
		p := startCaddy(t, caddyfile(server{listen, front + "sticky_proxy localhost:" + port + " {\n" + backups(good...) + "\n}"}))
		if got := who(t, "127.0.0.2", listen); got != "a" {
			t.Errorf("the client is at %s", got)
		}
		await(t, "the deactivation", func() bool { return strings.Contains(p.Log(), `"upstream deactivated"`) })
		want := regexp.MustCompile(`"reason":"dial tcp (127\.0\.0\.1|\[::1\]):` + port + `: connect: [a-z ]+"`)
		if !want.MatchString(p.Log()) {
			t.Errorf("the log does not tell what was dialled:\n%s", p.Log())
		}
		if _, answer := p.ask(t, "GET", "pools/default", ""); !strings.Contains(string(answer), `"text":"dial tcp `) {
			t.Errorf("the admin API does not tell what was dialled: %s", answer)
		}
	})
}
