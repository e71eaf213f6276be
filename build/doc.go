// Command build makes ./caddy from xcaddy.json with this checkout as the module. The binary is the same as that of
// `xcaddy build --with github.com/caddy-sticky/caddy-sticky`, with the versions that xcaddy.json names.
//
// Run it in the root of the checkout:
//
//	go run ./build [-race] [-o caddy]
package main
