// Package middleware decides which clients may come in, before a session exists: the matcher `middleware` hosts a
// chain of modules from the namespace `layer4.middleware` and matches the connections that all of them let in.
//
//	accept ──▶ Matcher ── each link in turn: Decide ──▶ all returned nil: the route's handlers
//	                │
//	                └── an error, a panic or no answer in time: no match, a line in the log, the next route or the end
//
// # Promises
//
// A client that is kept out causes no dial, holds no session and gets no byte. Whatever goes wrong in a middleware keeps
// out that client alone. The chain is asked once about the client of a connection, however often layer4 calls the
// matcher, and the matcher reads nothing from the connection.
//
// # Ownership
//
// The connection belongs to layer4, which closes it. A middleware gets a Client, which has the addresses and the
// variables of the connection but neither its socket nor its bytes; the variables are taken away when the decision is
// made. The buckets of a rate limit are shared by name and outlive a reload: Provision joins them and Cleanup leaves
// them, if Provision came that far. A script and the connections to a service belong to the module that opened them, whose
// Cleanup closes them without disturbing decisions that are pending.
//
// # Goroutines
//
// Match runs in layer4's goroutine of the connection and blocks it until the decision, for at most the matcher's
// `timeout`. Decide is called by many goroutines at a time. The middlewares of this package are called in layer4's
// goroutine, since they return as soon as the context ends; if one of the chain might not, the chain has a goroutine of
// its own for each connection, and Match goes on without it when the time is over. All of a Client's methods may be called
// by several goroutines.
//
// # Other middlewares
//
// A module of a third party is a type with one method beside those of every Caddy module:
//
//	func (Nightly) CaddyModule() caddy.ModuleInfo {
//		return caddy.ModuleInfo{ID: "layer4.middleware.nightly", New: func() caddy.Module { return new(Nightly) }}
//	}
//
//	func (Nightly) Decide(ctx context.Context, client *middleware.Client) error {
//		if time.Now().Hour() < 6 {
//			return errors.New("closed at night")
//		}
//		return nil
//	}
//
// To be written in a Caddyfile it also implements caddyfile.Unmarshaler.
package middleware
