// Package stores has the interface of session stores: what several balancers share, so that each sends a client to the same target.
//
//	table of sessions ── changes, in batches, behind the connections ──▶ Store ◀── the other nodes
//	                  ◀── the session of a client that is new here ─────
//	                  ◀── what other nodes have moved, forgotten or set ──
//
// # What it promises
//
// A node is one process, and has an ID of its own. The table of sessions of each node stays in front of the store: a client that the
// node knows costs no request. A client that is new to it is asked for once, and waits for `store_timeout` at most; then, or if the store
// fails, the client is placed as if there were none. So a store may fail in any way, and may forget everything: the nodes then go on
// by themselves, and tell it what they have once it works again.
//
// # Who owns what
//
// A store belongs to the config in which it stands. When a reload brings a store with the same options, the new one is used from then on. Its
// methods may be called, and may fail, until a moment after the module is cleaned up. What is passed to a method belongs to the caller
// again when that returns.
//
// # Goroutines
//
// All methods are called on goroutines that are not the connections', and may be called at the same time as each other. A method must
// return soon after its context has ended.
//
// # Other stores
//
// A store is a module of the namespace `layer4.sticky.stores`: a type with the four methods of Store beside those of every Caddy module, and
// UnmarshalCaddyfile if it is to be written in a Caddyfile. The example has one whole.
package stores
