package integration

import (
	"io"
	"net"
	"strings"
	"testing"
)

// With when_down close the connections to a target that is taken out are reset at both ends, whatever takes it out, and those to
// others go on. With keep all go on.
func TestWhenDown(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		for _, choice := range []string{"keep", "close"} {
			for reason, takeOut := range map[string]func(*patient, *target, string){
				"checks": func(p *patient, _ *target, _ string) { p.ill.Store(true) },
				"a dial": func(_ *patient, sick *target, listen string) {
					sick.stop()
					dialFrom(t, "127.0.0.3", listen)
				},
			} {
				t.Run(choice+" "+reason, func(t *testing.T) {
					t.Parallel()
					p := new(patient)
					sick, good := startTarget(t, "sick", p.serve), startTarget(t, "good", (&patient{name: "good"}).serve)
					listen, other := freeAddr(t), freeAddr(t)
					const check = "health_check http {\ninterval 100ms\ntimeout 5s\nrise 2\nfall 2\npath /health\n}\n"
					options := "when_down " + choice + "\n"
					if reason == "checks" {
						options += check
					}
					caddy := startCaddy(t, debugging(caddyfile(
						server{listen, front + sticky(options+backups(good), sick)},
						server{other, front + sticky("pool other\n"+options, good)},
					)))
					atSick, atGood := greetPatient(t, "127.0.0.2", listen, "patient"), greetPatient(t, "127.0.0.2", other, "good")
					takeOut(p, sick, listen)
					await(t, "the target is taken out", func() bool {
						return strings.Contains(caddy.Log(), "upstream check failed") || strings.Contains(caddy.Log(), "upstream deactivated")
					})
					if choice == "close" {
						mustBeReset(t, atSick)
						await(t, "the end at the target", func() bool { return sick.open() == 0 })
						await(t, "the lines of the log", func() bool {
							return strings.Count(caddy.Log(), `"reason":"the upstream is taken out, and when_down is close"`) == 2
						})
						if !strings.Contains(caddy.Log(), `"msg":"connections of an upstream are reset","upstream":"`+sick.addr+`","pool":"default","connections":1`) {
							t.Errorf("the log does not tell how many connections are reset:\n%s", caddy.Log())
						}
						again := greetPatient(t, "127.0.0.2", listen, "good")
						_ = again.Close()
					} else {
						askPatient(t, atSick, "patient")
					}
					askPatient(t, atGood, "good")
				})
			}
		}
	})
}

// debugging returns a Caddyfile whose log has the lines of the level debug, too.
func debugging(config string) string { return strings.Replace(config, "{\n", "{\n\tdebug\n", 1) }

// greetPatient opens a connection that a target with this name answers.
func greetPatient(t *testing.T, ip, listen, name string) *net.TCPConn {
	t.Helper()
	conn := dialFrom(t, ip, listen)
	askPatient(t, conn, name)
	return conn
}

func askPatient(t *testing.T, conn *net.TCPConn, name string) {
	t.Helper()
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got := mustReadLine(t, conn); got != name {
		t.Errorf("a client was told %q by %s", got, name)
	}
}
