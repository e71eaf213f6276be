// Package parse reads, checks and compares the options of a module by a table that has one row for each of them:
//
//	func (m *Module) table() parse.Options {
//		return parse.Options{
//			parse.Duration("timeout", &m.Timeout, 10*time.Second),
//			parse.Int("max_clients", &m.MaxClients, 0, parse.Between(1, 1000)),
//			parse.DurationOrOff("keepalive", &m.KeepAlive, 15*time.Second, -1),
//		}
//	}
//
// A row has the option's name, which is the same in JSON and in a Caddyfile, the field that holds it, its default, its
// bounds and its form in a Caddyfile. A config goes through the table in this order:
//
//	Caddyfile ── ReadModule ──▶ module ── json.Marshal ──▶ JSON ── ReadJSON ──▶ module ── SetDefaults ──▶ CheckSame
//
// So every module checks arity, duplicates, types and bounds in the same way and words its errors alike: they are
// lowercase and name the option and the value. The module itself checks what one option means for another. If
// its line in a Caddyfile takes a list, it reads that itself, and then calls ReadBlock instead of ReadModule.
//
// A table holds pointers to the fields of its module and nothing of its own, so it is made anew for each use. The
// default of one option may be the value of another that has none, as it is when the table is made. A table belongs to
// one goroutine, as its module does while Caddy loads a config. Nothing here has to be closed.
package parse
