package integration

import "strings"

// server is one listening address and the handlers of its only route.
type server struct{ listen, handlers string }

// caddyfile returns a Caddyfile with these layer4 servers.
func caddyfile(servers ...server) string {
	var b strings.Builder
	b.WriteString("{\n\tlayer4 {\n")
	for _, s := range servers {
		b.WriteString("\t\t" + s.listen + " {\n\t\t\troute {\n" + s.handlers + "\n\t\t\t}\n\t\t}\n")
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// sticky returns a sticky_proxy to these targets. Options are the lines of its block.
func sticky(options string, targets ...*target) string {
	return "sticky_proxy " + addresses("", targets...) + " {\n" + options + "\n}"
}

// balance is the config that most tests want: one server with one sticky_proxy.
func balance(listen, options string, targets ...*target) string {
	return caddyfile(server{listen, sticky(options, targets...)})
}

func addresses(network string, targets ...*target) string {
	var all []string
	for _, target := range targets {
		all = append(all, network+target.addr)
	}
	return strings.Join(all, " ")
}

// upstream returns the lines of an option `upstream` with lines of its own.
func upstream(addr string, lines ...string) string {
	return "upstream " + addr + " {\n" + strings.Join(lines, "\n") + "\n}\n"
}

// backups returns upstreams that serve only while no other can, so that a test knows whom a client
// is placed at first without asking.
func backups(targets ...*target) string {
	var lines string
	for _, target := range targets {
		lines += upstream(target.addr, "backup")
	}
	return lines
}
