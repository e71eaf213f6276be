// Package persist puts the sessions of a pool into bytes, and gets them back, so that they can be kept while no process runs.
//
// # What it promises
//
// A session comes back as it was put in, its times to the millisecond; those that expire last come first. Times are those of the wall
// clock, and a target is the text that the caller knows it by. An IPv4 session takes some 11 bytes.
//
// Whatever bytes Open gets, it neither panics nor takes more memory than they justify, and it tells apart why they are of no use:
// ErrForeign, ErrFuture and ErrDamaged.
//
// # The format
//
//	magic    "caddy-sticky sessions\n"
//	version  1 byte
//	pool     text
//	written  varint, milliseconds since 1970
//	targets  uvarint, and so many texts
//	sessions uvarint, and so many sessions
//	checksum 8 bytes, the XXH64 of all before, little endian
//
// A text is its length as an uvarint, and its bytes. A session is
//
//	flags    1 byte: 1 for an IPv6 address, 2 if it has a zone, 4 if the client has left the target where it was placed
//	client   4 or 16 bytes, and the zone as a text
//	target   uvarint, the number of its text
//	expires  varint, by how many milliseconds sooner than the session before, the first of them than the time of writing
//	since    varint, for how many milliseconds it will have lasted when it expires
//
// # Goroutines
//
// A Writer belongs to one goroutine at a time; a File never changes. Nothing here performs input or output, or looks at a clock.
package persist
