// Package upstreams has the sources of upstreams that are no part of a config: the modules of the namespace
// `layer4.sticky.upstreams`, one of which `sticky_proxy` may have as its `dynamic_upstreams`.
//
//	Source ── Lookup, again and again ──▶ upstreams ── their names, each looked up again and again ──▶ targets
//
// # What it promises
//
// A source is asked in the background, by one call at a time: when a config is loaded, at its interval, and at once when all of its
// targets have failed. An upstream counts from the first answer that has it until it was in no answer for `resolve_hold`. While a
// look-up fails, or finds nothing, the last good answer holds. Where a client is placed depends on the addresses alone, so that
// balancers which get the same answers agree.
//
// # Who owns what
//
// A source belongs to the config in which it stands. When a reload brings the same source, with the same options, the new one is
// asked from then on, and what the old one has found stays. Lookup may be called, and may fail, until a moment after the
// module is cleaned up.
//
// # Goroutines
//
// Lookup and LookupNetIP are called on goroutines that are not the connections', and may be called at the same time as
// each other.
//
// # Other sources
//
// A module of a third party is a type with two methods beside those of every Caddy module. The example has one whole. To be
// written in a Caddyfile it also implements caddyfile.Unmarshaler.
package upstreams
