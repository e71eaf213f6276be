// Package sticky is what `xcaddy build --with github.com/caddy-sticky/caddy-sticky` imports. It registers every module of
// this project with Caddy, and the modules of caddy-l4 beside them, and exports nothing.
//
//	             sticky
//	    ┌──────────┼───────────────┬────────────────┐
//	l4sticky   middleware   caddyfile/legacy   privileges
//
// The modules themselves live in those packages; the packages below internal are shared by them and know nothing of Caddy.
// A test in this folder enforces which package may import which.
package sticky
