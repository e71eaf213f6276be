package l4sticky

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
)

// page is what a browser shows at /sticky/. It needs nothing but the API.
//
//go:embed page.html
var page []byte

// pagePolicy allows what is in the page, by its hashes, and requests to the API. What the API tells can so never run as a script, even if
// the page took it for one.
var pagePolicy = strings.Join([]string{
	"default-src 'none'",
	"script-src " + hashOf("<script>", "</script>"),
	"style-src " + hashOf("<style>", "</style>"),
	"connect-src 'self'",
	"img-src data:", // the icon, which is empty
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
}, "; ")

// hashOf returns the source expression for the part of the page between two tags.
func hashOf(opening, closing string) string {
	_, rest, _ := bytes.Cut(page, []byte(opening))
	part, _, _ := bytes.Cut(rest, []byte(closing))
	sum := sha256.Sum256(part)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func getPage(*adminRequest) (any, error) { return answerPage(page), nil }

// answerPage is an answer that is sent as HTML.
type answerPage []byte

func (p answerPage) send(w http.ResponseWriter) error {
	for name, value := range map[string]string{
		"Content-Type":               "text/html; charset=utf-8",
		"Content-Security-Policy":    pagePolicy,
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "same-origin", // Caddy wants to know where the page's own requests come from
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control":              "no-cache",
	} {
		w.Header().Set(name, value)
	}
	_, err := w.Write(p)
	return err
}
