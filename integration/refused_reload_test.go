package integration

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// A config that is refused, at whatever step and by whichever app, never serves anybody and leaves nothing behind. What
// ran goes on alone.
func TestRefusedReloadLeavesNothing(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		taken, err := net.Listen("tcp", freeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		right, wrong := greeters(t, 2), greeters(t, 2)
		listen, another, ips := freeAddr(t), freeAddr(t), clientIPs(20)
		good := balance(network+listen, "", right...)
		caddy := startCaddy(t, good)
		homes := whoEach(t, ips, listen)
		conn, _ := hold(t, ips[0], listen)
		before := inventory(t, caddy)

		bad := func(others, apps string) string {
			config := caddyfile(
				server{network + listen, sticky("", wrong...)},
				server{network + another, sticky("", wrong...)},
			)
			config = strings.Replace(config, "layer4 {", "layer4 {\n"+others, 1)
			return strings.Replace(config, "{\n", "{\n"+apps, 1)
		}
		held := "seamless/" + taken.Addr().String()
		for what, config := range map[string]string{
			"an address of layer4 is taken":         bad(taken.Addr().String()+" {\nroute {\necho\n}\n}\n", ""),
			"a seamless address is taken":           bad(held+" {\nroute {\necho\n}\n}\n", ""),
			"an address of the http app is taken":   bad("", "") + "http://" + taken.Addr().String() + " {\nrespond hello\n}\n",
			"a handler after ours is wrong":         bad(another+" {\nroute {\nproxy_protocol {\nallow nonsense\n}\n}\n}\n", ""),
			"another app is wrong":                  bad("", "storage file_system {\nroot /proc/nowhere\n}\n") + "http://" + taken.Addr().String() + " {\nrespond hello\n}\n",
			"an option of another handler is wrong": bad(freeAddr(t)+" {\nroute {\nsticky_proxy localhost:1 {\npool other\nmax_sessions -1\n}\n}\n}\n", ""),
		} {
			stop := func() int { return 0 }
			if network != "" { // a plain socket resets who waits in it when it is closed
				stop = visitors(t, 4, listen)
			}
			for range 5 { // apps and servers start in random order
				if err := caddy.load(config); err == nil {
					t.Fatalf("%s: the config was accepted", what)
				}
				await(t, "the new address to be closed", func() bool { return !listens(another) })
				mustAgree(t, what, whoEach(t, ips, listen), homes)
			}
			stop()
			mustEcho(t, conn)
		}
		for _, target := range wrong {
			if n := target.accepted.Load(); n > 0 {
				t.Errorf("%d connections went to target %s of a refused config", n, target.name)
			}
		}
		awaitInventory(t, caddy, before)

		// A good reload that drops the address leaves it to others.
		caddy.reload(t, balance(network+freeAddr(t), "", right...))
		await(t, "the old address to be closed", func() bool { return !listens(listen) })
		mustEcho(t, conn)
	})
}

// A refused reload lets go of whatever else its config had: the buckets of a rate limit, a script with what it waits
// for, the options of a pool.
func TestRefusedReloadKeepsRules(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	targets, listen, script := greeters(t, 1), freeAddr(t), t.TempDir()+"/balancer.js"
	writeScript(t, script, "setInterval(() => {}, 1000); module.exports.run = (balancer) => balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, (socket, next) => next());")
	config := func(connections int, rest string) string {
		middlewares := fmt.Sprintf("rate_limit {\nconnections %d\nwindow 1h\n}\nscript %s", connections, script)
		return guarded("seamless/"+listen, middlewares, targets...) + rest
	}
	caddy := startCaddy(t, config(3, ""))
	who(t, "127.0.0.2", listen)
	before := inventory(t, caddy)
	for range 5 {
		if err := caddy.load(config(1_000_000, "http://"+taken.Addr().String()+" {\nrespond hello\n}\n")); err == nil {
			t.Fatal("a config whose address is taken was accepted")
		}
	}
	for range 2 {
		who(t, "127.0.0.2", listen)
	}
	mustEnd(t, dialFrom(t, "127.0.0.2", listen))
	awaitInventory(t, caddy, before)
}

// listens reports whether somebody listens at an address.
func listens(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func writeScript(t testing.TB, path, script string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
}
