package integration

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// request is a request below /sticky/ as the pages write it, and the body that it is told to have.
var request = regexp.MustCompile("`(GET|POST|PATCH|PUT|DELETE) /sticky/([^` ]*)`(?: with `({[^`]*})`)?")

// Every request that a page names is one that the admin API knows, with these parameters. One with a body does what it says.
func TestRequestsInDocs(t *testing.T) {
	targets := greeters(t, 2)
	listen := freeAddr(t)
	caddy := startCaddy(t, balance("seamless/"+listen, "", targets...))
	conn, _ := hold(t, "127.0.0.2", listen) // a pool that has a session
	defer conn.Close()
	names := strings.NewReplacer("{pool}", "default", "{address}", targets[0].addr, "?upstream=127.0.0.1", "?upstream="+targets[0].addr)
	requests := 0
	for _, p := range readPages(t) {
		for _, found := range request.FindAllStringSubmatch(p.text, -1) {
			method, path, body := found[1], found[2], found[3]
			if path == "" {
				continue // the page to look at
			}
			requests++
			response, answer := caddy.ask(t, method, names.Replace(path), body)
			switch {
			case response.StatusCode == http.StatusMethodNotAllowed, strings.Contains(string(answer), "there is nothing at"):
				t.Errorf("%s: there is no %s /sticky/%s", p.path, method, path)
			case strings.Contains(string(answer), "there is no such parameter"), response.StatusCode == http.StatusNotFound:
				t.Errorf("%s: %s /sticky/%s: %s", p.path, method, path, answer)
			case body != "" && response.StatusCode != http.StatusOK:
				t.Errorf("%s: %s /sticky/%s with %s: %s: %s", p.path, method, path, body, response.Status, answer)
			}
		}
	}
	t.Logf("%d requests", requests)
	if requests < 30 {
		t.Errorf("only %d requests were found", requests)
	}
}

// The page about HAProxy's runtime API has every command that the HAProxy of this machine knows.
func TestRuntimeAPIOfHAProxy(t *testing.T) {
	text := ""
	for _, p := range readPages(t) {
		if p.path == "docs/haproxy-runtime-api.md" {
			text = p.text
		}
	}
	commands := 0
	for line := range strings.Lines(helpOfHAProxy(t)) {
		usage, _, found := strings.Cut(line, ":")
		words := strings.FieldsFunc(usage, func(r rune) bool { return strings.ContainsRune(" [<{(", r) })
		if !found || !strings.HasPrefix(line, "  ") || len(words) == 0 {
			continue
		}
		commands++
		if name := strings.Join(words[:min(2, len(words))], " "); !strings.Contains(text, "`"+name) && !strings.Contains(text, "`"+words[0]+"`") {
			t.Errorf("the page does not have %q", name)
		}
	}
	if commands < 50 {
		t.Errorf("haproxy tells of %d commands", commands)
	}
}

// helpOfHAProxy returns what HAProxy answers to `help`.
func helpOfHAProxy(t *testing.T) string {
	t.Helper()
	return askHAProxy(t, startHAProxy(t, "listen one\nbind "+freeAddr(t)+"\nserver a 127.0.0.1:1\n"), "help")
}
