package redis

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// tags has the hash tags of sessions, a character each. A cluster keeps all keys with the same tag at one node, so that those of
// many sessions can be in one command.
const tags = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

// tagOf returns the index of the tag of a client's session.
func tagOf(client netip.Addr) int {
	bytes := client.As16()
	return int(xxhash.Sum64(bytes[:]) % uint64(len(tags)))
}

// The names of a pool's keys, and of its channel. Where the pool's own name has more than letters, digits and `-_.~`, it is escaped as in
// a URL's query.
type names struct {
	sessions                     string // what their keys begin with, up to the tag
	nodes, settings, generations string
	channel                      string
}

func namesOf(prefix, pool string) names {
	pool = url.QueryEscape(pool)
	meeting := prefix + ":{" + pool + "}:"
	return names{
		sessions:    prefix + ":" + pool + "{",
		nodes:       meeting + "nodes",
		settings:    meeting + "settings",
		generations: meeting + "generation",
		channel:     prefix + ":" + pool + ":news",
	}
}

// session returns the key of a client's session, such as `sticky:default{k}10.1.2.3`.
func (n *names) session(client netip.Addr) string {
	tag := tagOf(client)
	return n.sessions + tags[tag:tag+1] + "}" + escape(client.String())
}

var (
	escaper   = strings.NewReplacer("%", "%25", " ", "%20")
	unescaper = strings.NewReplacer("%25", "%", "%20", " ")
)

// escape returns a word without blanks, as which records and news have clients, targets and nodes.
func escape(text string) string {
	if strings.ContainsAny(text, "% ") {
		return escaper.Replace(text)
	}
	return text
}

func unescape(word string) string { return unescaper.Replace(word) }

// parseNews reads a message of a pool's channel, and reports whether it is one and from which node.
func parseNews(message string) (node string, news stores.News, ok bool) {
	kind, rest, _ := strings.Cut(message, " ")
	node, rest, _ = strings.Cut(rest, " ")
	subject, rest, ok := strings.Cut(rest, " ")
	node, subject = unescape(node), unescape(subject)
	switch kind {
	case "session":
		client, err := netip.ParseAddr(subject)
		return node, stores.News{Client: client, Target: unescape(rest)}, ok && err == nil
	case "setting":
		return node, stores.News{Target: subject, Setting: rest}, ok && subject != ""
	}
	return "", stores.News{}, false
}
